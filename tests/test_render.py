"""Views of a report: one record, the same facts in each, and no text is lost on the way."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from io import StringIO
from math import inf
from pathlib import Path

import pytest
from rich.console import Console

from bench.cell.group import Partial, Phase, Step
from bench.records import (
    Ceiling,
    GpuState,
    Measurement,
    OutputParity,
    Parity,
    Report,
    Result,
    Skipped,
)
from bench.render import as_json
from bench.render.as_markdown import brief, markdown
from bench.render.as_table import draw, print_table
from bench.render.context import context
from bench.render.live import Watched, watch
from bench.render.table import Table
from bench.render.tables import latency, parity, samples, settings
from fakes import PARITY, WORKLOAD, fake_report, fake_result

WIDTH = 80
MARKUP = "[bold]x[/bold] pip install hifi-export[gpu] [/] [[1]]"


def table(report: Report, width: int = WIDTH) -> str:
    page = StringIO()
    print_table(report, Console(file=page, width=width, force_terminal=False))
    return page.getvalue()


def unwrapped(text: str) -> str:
    return " ".join(text.split())


def measured(**changes: object) -> Result:
    result = fake_result()
    assert isinstance(result.measurement, Measurement)
    return replace(result, measurement=replace(result.measurement, **changes))  # type: ignore[arg-type]


VIEWS: dict[str, Callable[[Report], str]] = {"table": table, "markdown": markdown, "brief": brief}
every_view = pytest.mark.parametrize("view", VIEWS.values(), ids=VIEWS.keys())


# The text of the tables


def test_a_row_says_everything_in_its_unit() -> None:
    (found,) = latency(fake_report(fake_result("torch")))
    assert found.title == "mpd-11, 2 x 11025, 4.00 GFLOP"
    assert dict(zip(found.header, found.rows[0], strict=True)) == {
        "backend": "torch",
        "median ms": "500.00",
        "± %": "-",
        "GFLOP/s": "8.0",
        "% peak": "8",
        "x real time": "2.0",
        "SNR dB": "120.0",
        "torch dB": "124.0",
        "prepare s": "1.2",
    }
    assert found.remarks == ()


def test_an_interval_needs_six_samples() -> None:
    (few,) = latency(fake_report(measured(seconds=(0.5,) * 5)))
    (enough,) = latency(fake_report(measured(seconds=(0.5,) * 6)))
    assert (few.rows[0][2], enough.rows[0][2]) == ("-", "0.0")


def test_a_row_above_the_peak_says_why() -> None:
    (found,) = latency(fake_report(measured(seconds=(0.039,) * 6)))
    assert found.rows[0][4] == "103"
    assert found.remarks == ("fake: above the peak: the machine was slower when that was measured",)


@pytest.mark.parametrize("width", range(30, 100, 5))
def test_no_number_is_cut_in_a_narrow_terminal(width: int) -> None:
    """Columns are left out instead, and told."""
    report = fake_report(fake_result("torch-compile"))
    (found,) = latency(report)
    page = table(report, width)
    head = next(line for line in page.splitlines() if line.strip().startswith("backend"))
    row = next(line for line in page.splitlines() if line.strip().startswith("torch-compile"))
    shown = [name for name in found.header if name in head]
    assert row.split() == [found.rows[0][found.header.index(name)] for name in shown]
    assert {"backend", "median ms"} <= set(shown)
    left_out = [name for name in found.header if name not in shown]
    assert all(name in unwrapped(page).partition("too narrow for: ")[2] for name in left_out)


LONG = "openvino:precision=docs/results/mixed/openvino-bf16-20-amx/precision.json,lowering=default"


@pytest.mark.parametrize("width", [40, 60, 80, 120, 200])
def test_a_long_name_folds_before_a_number_is_cut(width: int) -> None:
    rows = [
        fake_result(name, (1.6125,) * 9, workload=replace(WORKLOAD, variant=network))
        for network in ("mpd", "msd")
        for name in ("torch", LONG)
    ]
    page = table(fake_report(*rows), width)
    assert "…" not in page and max(map(len, page.splitlines())) <= width
    assert page.count(" 1612.50") == 4 and page.count(" 3225.00") == 2
    assert "".join(line.split()[0] for line in folded(page)) == LONG
    assert ("% peak" in page.partition("too narrow")[0]) == (width >= 120)


def folded(page: str) -> Iterator[str]:
    """The lines that hold the long name, the first time."""
    lines = iter(page.splitlines())
    for line in lines:
        if line.startswith(f" {LONG[:8]}"):
            yield line
            break
    for line in lines:
        if not line.strip():
            return
        yield line


def test_text_columns_are_left_out_from_the_right_before_a_number_is_cut() -> None:
    page = StringIO()
    header = ("layer", "plain ms", "form", "in the plan")
    rows = (("mpd_11.convs.4", "40.00", "columns+" * 3, "phase-of-the-" * 3),)
    draw(Table("Layers", header, rows), Console(file=page, width=44, force_terminal=False))
    told = page.getvalue()
    assert "40.00" in told and "columns+columns+columns+" in told and "…" not in told
    assert "too narrow for: in the plan" in told


def test_the_wider_side_of_the_interval_is_told() -> None:
    times = (0.9, 0.99, 1.0, 1.0, 1.01, 1.5)
    (found,) = latency(fake_report(measured(seconds=times)))
    low, high = Measurement(times, 0, 0, warm=True, converged=True).interval
    assert found.rows[0][2] == f"{100 * max(high - 1, 1 - low):.1f}"


def test_a_workload_has_a_table_and_a_backend_a_row() -> None:
    pair = replace(WORKLOAD, views=("pair",))
    results = [fake_result(n, workload=load) for load in (WORKLOAD, pair) for n in ("a", "b")]
    found = latency(fake_report(*results))
    assert [[row[0] for row in each.rows] for each in found] == [["a", "b"], ["a", "b"]]
    assert found[0].title != found[1].title
    assert "real and generated" in found[1].title


def test_a_hole_keeps_its_row_and_its_reason() -> None:
    hole = Skipped("no backend 'nope': choose from torch")
    (found,) = latency(fake_report(fake_result("nope", hole, hole), fake_result("torch")))
    assert found.rows[0] == ("nope", *("-" * 8))
    assert found.remarks == ("nope: no backend 'nope': choose from torch",)


def test_a_failed_parity_shows_its_errors_and_no_speed() -> None:
    wrong = replace(PARITY, outputs=(replace(PARITY.outputs[0], snr_db=-inf),))
    hole = Skipped("parity failed: score has an SNR of -inf dB, the budget is 100 dB")
    report = fake_report(fake_result("bad", hole, wrong))
    (found,) = latency(report)
    assert found.rows[0][1:6] == ("-",) * 5
    assert found.rows[0][6:8] == ("-inf", "124.0")
    assert found.remarks == (f"bad: {hole.reason}",)
    assert "FAILED" in parity(report)[0].title


@pytest.mark.parametrize(
    ("warm", "converged", "remarks"),
    [
        (False, True, ("fake: not warm",)),
        (True, False, ("fake: unconverged",)),
        (False, False, ("fake: not warm, unconverged",)),
    ],
)
def test_what_to_distrust_is_never_hidden(
    warm: bool, converged: bool, remarks: tuple[str, ...]
) -> None:
    report = fake_report(measured(warm=warm, converged=converged))
    assert latency(report)[0].remarks == remarks
    for view in VIEWS.values():
        assert remarks[0] in view(report)


def test_every_statistic_is_listed() -> None:
    times = tuple(i / 100 for i in range(1, 131))
    found = samples(fake_report(measured(seconds=times), fake_result("gone", Skipped("gone"))))
    (row,) = found.rows
    told = dict(zip(found.header, row, strict=True))
    assert told["row"] == "fake on mpd-11, 2 x 11025, call"
    assert (told["n"], told["min"], told["median"], told["max"]) == (
        "130",
        "10.00",
        "655.00",
        "1300.00",
    )
    assert (told["MAD"], told["p90"], told["p95"]) == ("325.00", "1171.00", "1235.50")
    assert told["p99"] == "too few"
    assert (told["warm-up calls"], told["warm-up s"]) == ("10", "1.0")


def test_every_output_is_listed_with_its_errors() -> None:
    (found,) = parity(fake_report(fake_result("ort-cpu")))
    assert found.title == "Parity of ort-cpu on mpd-11, 2 x 11025: passed, budget 100 dB"
    assert [row[0] for row in found.rows] == ["score", "fmap_0"]
    assert found.rows[0][1:5] == ("120.0", "124.0", "1.0e-06", "2.0e-06")
    assert found.rows[1][1] == "inf"


def test_settings_are_listed_once_for_each_backend() -> None:
    report = fake_report(fake_result("a"), fake_result("b"), fake_result("a"))
    assert settings(report).rows == (("a", "threads 1"), ("b", "threads 1"))


def test_the_context_says_machine_peak_and_notes() -> None:
    lines = context(fake_report(fake_result(), notes=("x.wav is at 16000 Hz",)))
    assert "A CPU, 2 cores, 8 GiB, Linux 6 x86_64, load 0.5" in lines
    assert "python 3.11" in lines
    assert any("100 GFLOP/s" in line and "2048 x 2048" in line for line in lines)
    assert any("11025 samples at 22050 Hz from clip" in line for line in lines)
    assert lines[-1] == "x.wav is at 16000 Hz"


def test_the_context_says_all_of_a_machine() -> None:
    gpu = GpuState(
        *("NVIDIA H200", "9.0", "580.1", "13.1"),
        memory_bytes=2**37,
        used_bytes=2**30,
        sm_mhz=1980,
        memory_mhz=3201,
        throttle_reasons=("software power cap", "hardware slowdown"),
        watts=121.5,
        celsius=41,
        ecc=True,
        mig=False,
        other_processes=2,
    )
    report = fake_report()
    machine = replace(
        report.machine,
        features=("avx2", "fma"),
        quota=1.5,
        governor="powersave",
        commit="0123456789abcdef-dirty",
        gpu=gpu,
    )
    ceilings = (
        Ceiling(100.0, 2048, 1, "fp32", 11.04),
        Ceiling(200.0, 2048, 1, "bf16", 11.04),
        Ceiling(50_000.0, 8192, 0, "tf32", 4000.0),
    )
    lines = context(replace(report, machine=machine, ceilings=ceilings))
    assert lines[0].endswith("load 0.5, quota 1.5 cores, governor powersave, avx2 fma")
    assert lines[1] == (
        "NVIDIA H200 (9.0), driver 580.1, 1.0 of 128 GiB used, 1980 MHz, memory 3201 MHz, 122 W, "
        "41 °C, ECC on, MIG off, 2 other processes, slowed by software power cap, hardware slowdown"
    )
    assert lines[2] == "python 3.11, commit 0123456789ab-dirty"
    assert lines[3:6] == (
        "peak: 100 GFLOP/s, float32 product of 2048 x 2048 matrices on 1 threads; copy 11.0 GB/s",
        "peak: 200 GFLOP/s, bfloat16 product of 2048 x 2048 matrices on 1 threads; copy 11.0 GB/s",
        "peak: 50000 GFLOP/s, TF32 product of 8192 x 8192 matrices on the GPU; copy 4000.0 GB/s",
    )


# The views


@every_view
def test_every_text_of_the_latency_table_is_in_every_view(view: Callable[[Report], str]) -> None:
    hole = Skipped("pip install it")
    report = fake_report(fake_result("one"), fake_result("two", hole, hole))
    page = unwrapped(view(report))
    for each in latency(report):
        for text in (each.title, *each.header, *each.remarks, *sum(each.rows, ())):
            assert text in page
    for line in context(report):
        assert line in page


@every_view
def test_text_in_brackets_survives(view: Callable[[Report], str]) -> None:
    hole = Skipped(f"reason {MARKUP}")
    load = replace(WORKLOAD, variant="[i]v[/i]")
    results = (fake_result("[b]", hole, hole, load), fake_result("[red]row[/red]", workload=load))
    page = unwrapped(view(fake_report(*results, notes=(f"note {MARKUP}",))))
    for text in (f"reason {MARKUP}", f"note {MARKUP}", "[b]", "[i]v[/i]", "[red]row[/red]"):
        assert text in page


@every_view
def test_emoji_codes_are_left_alone(view: Callable[[Report], str]) -> None:
    hole = Skipped("see :warning: https://example.org:80/a_b")
    assert hole.reason in unwrapped(view(fake_report(fake_result("x", hole, hole))))


@every_view
def test_a_report_of_nothing_can_be_shown(view: Callable[[Report], str]) -> None:
    assert "A CPU" in view(fake_report())


def test_the_table_fits_eighty_columns() -> None:
    hole = Skipped("a reason " * 20)
    big = replace(
        WORKLOAD,
        variant="mpd-11",
        sizes={**WORKLOAD.sizes, "batch": 1024, "samples": 1048576},
        views=("pair",),
    )
    slow = fake_result("torch-compile", (1.25,) * 9, workload=big)
    page = table(fake_report(slow, fake_result("tensorrt-rtx", hole, hole, big)))
    assert max(map(len, page.splitlines())) <= WIDTH
    for text in ("torch-compile", "tensorrt-rtx", "1250.00"):
        assert text in page


def test_no_colour_codes_go_into_a_pipe() -> None:
    assert "\x1b" not in table(fake_report(measured(warm=False)))


def rows_of(page: str) -> Iterator[list[str]]:
    """The pipe tables of a Markdown page, as blocks of lines."""
    block: list[str] = []
    for line in [*page.splitlines(), ""]:
        if line.startswith("|"):
            block.append(line)
        elif block:
            yield block
            block = []


@pytest.mark.parametrize("view", [markdown, brief])
def test_markdown_tables_are_rectangular_whatever_the_cells_hold(
    view: Callable[[Report], str],
) -> None:
    odd = Parity(100.0, (OutputParity("a|b", 120.0, 0, 0, 1, 120, (1,)),))
    result = replace(fake_result("x|y", parity=odd), settings={"list": "a|b"})
    page = view(fake_report(result))
    blocks = list(rows_of(page))
    assert blocks
    for header, rule, *rows in blocks:
        assert set(rule) <= set("|:- ")
        assert rows
        assert len({line.count("|") for line in (header, rule, *rows)}) == 1


def test_markdown_holds_every_table() -> None:
    page = markdown(fake_report(fake_result("ort-cpu")))
    assert page.startswith("# hifi-bench, 2026-01-02T03:04:05+00:00\n")
    for text in ("Samples, ms", "Settings, as read back", "Parity of ort-cpu", "fmap_0", "1.0e-06"):
        assert text in page
    assert page.endswith("\n") and not page.endswith("\n\n")


def test_an_old_report_is_rendered_the_same(tmp_path: Path) -> None:
    hole = Skipped("no runtime")
    report = fake_report(
        measured(seconds=(0.1, 0.2, 0.3, 0.25), converged=False),
        fake_result("gone", hole, hole),
        notes=("a note",),
    )
    path = tmp_path / "report.json"
    path.write_bytes(as_json.dump(report))
    again = as_json.load(path)
    for view in VIEWS.values():
        assert view(again) == view(report)


def test_watching_returns_the_results_in_order(capsys: pytest.CaptureFixture[str]) -> None:
    results = [fake_result(name) for name in ("a", "b", "c")]
    steps: list[Step] = [Phase("[/] one [x]"), results[0], Phase("two"), *results[1:]]
    assert watch(iter(steps), 3) == Watched(tuple(results), interrupted=False)
    assert capsys.readouterr().out == "", "standard output is for the table"


def test_ctrl_c_leaves_what_there_is() -> None:
    def interrupted() -> Iterator[Step]:
        yield fake_result("done")
        yield Partial(fake_result("half"))
        raise KeyboardInterrupt

    expected = (fake_result("done"), fake_result("half"))
    assert watch(interrupted(), 9) == Watched(expected, interrupted=True)


def test_watching_passes_errors_on() -> None:
    def breaking() -> Iterator[Step]:
        yield Phase("one")
        raise ValueError("a bug keeps its traceback")

    with pytest.raises(ValueError, match="traceback"):
        watch(breaking(), 1)
