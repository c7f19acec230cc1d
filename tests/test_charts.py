"""Charts of a report: as the record says, in looks that hold, with every text as text."""

import re
from collections.abc import Iterator
from dataclasses import replace
from math import inf, nan
from pathlib import Path
from typing import Any

import pytest

import cli
from bench.records import Ceiling, Measurement, OutputParity, Parity, Report, Result, Skipped
from bench.render.charts import COLOURS, GREY, label
from bench.render.charts_samples import MOST_POINTS
from bench.render.document import Section
from bench.render.formats.html_page import MOST_OPEN, dump
from bench.render.views.report import document, sections
from fakes import PARITY, WORKLOAD, fake_report, fake_result

TEMPLATES = Path(cli.__file__).parent / "bench" / "render" / "html_template"
EVIL = "<script>alert(1)</script><b>x</b> & %{y} </SCRIPT> \"'"


def part(report: Report, title: str) -> Section:
    return next(section for section in sections(report) if section.title == title)


def figures(report: Report, title: str) -> list[dict[str, Any]]:
    return [chart.figure for chart in part(report, title).charts]


def strings(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for each in value.values():
            yield from strings(each)
    elif isinstance(value, list):
        for each in value:
            yield from strings(each)


def with_snrs(*snrs: float, budget: float = 100.0) -> Parity:
    first = PARITY.outputs[0]
    return Parity(
        budget, tuple(replace(first, name=f"o{n}", snr_db=snr) for n, snr in enumerate(snrs))
    )


def by_batch(backend: str, *batches: int) -> list[Result]:
    return [
        fake_result(
            backend,
            (0.1 * n,) * 6,
            workload=replace(WORKLOAD, sizes={**WORKLOAD.sizes, "batch": n}),
        )
        for n in batches
    ]


def rounds(*counts: int) -> Result:
    result = fake_result(seconds=(0.5,) * sum(counts))
    assert isinstance(result.measurement, Measurement)
    return replace(result, measurement=replace(result.measurement, rounds=counts))


def test_plotly_reads_no_markup_in_names() -> None:
    """Only its own line breaks and the templates of this code."""
    parity = Parity(100.0, (replace(PARITY.outputs[0], name=f"out {EVIL}"),))
    result = replace(fake_result(f"a {EVIL}", parity=parity), bytes_moved=10**9)
    report = replace(fake_report(result), ceiling=Ceiling(100.0, 2048, 1, gb_per_second=10.0))
    found = [chart.figure for section in sections(report) for chart in section.charts]
    assert len(found) == 4
    for figure in found:
        for trace in figure["data"]:
            assert trace.pop("legendgroup", f"a {EVIL}")  # never drawn
            assert "alert" not in trace.get("hovertemplate", "")
        for text in strings(figure):
            assert "<" not in re.sub(r"<br>|</?extra>", "", text)
    assert label("<i>&amp;") == "&lt;i&gt;&amp;amp;"


def test_a_long_name_is_broken_and_kept() -> None:
    name = "torch-cuda-compile:mode=max-autotune-no-cudagraphs,norms=folded" * 2
    assert label(name).replace("<br>", "") == name
    assert max(map(len, label(name).split("<br>"))) <= 48
    assert label("") == " "


def test_many_charts_are_folded_after_the_first() -> None:
    results = [r for n in range(1, MOST_OPEN + 3) for r in by_batch("a", n)]
    page = dump(document(fake_report(*results))).decode()
    (batches,) = [len(part(fake_report(*results), "Samples").charts)]
    assert batches == MOST_OPEN + 2
    assert page.count("<details open>") == 2 * MOST_OPEN


def luminance(colour: str) -> float:
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def test_colours_are_seen_on_the_light_and_on_the_dark_page() -> None:
    style = (TEMPLATES / "style.css").read_text()
    papers, inks, softs, warns = (
        re.findall(rf"--{name}: (#\w+);", style) for name in ("paper", "ink", "soft", "warn")
    )
    assert len(papers) == 2 and len(set(COLOURS)) == len(COLOURS)
    for n, paper in enumerate(papers):
        assert min(contrast(colour, paper) for colour in (*COLOURS, GREY)) >= 3
        assert min(contrast(each[n], paper) for each in (inks, softs, warns)) >= 4.5


def test_a_line_goes_through_the_medians_and_breaks_at_a_hole() -> None:
    hole = Skipped("out of memory")
    gone = fake_result("a", hole, workload=replace(WORKLOAD, sizes={**WORKLOAD.sizes, "batch": 2}))
    report = fake_report(*by_batch("b", 1, 2, 4), *by_batch("a", 4, 1), gone)
    (figure,) = figures(report, "Latency by batch")
    b, a = figure["data"]
    assert (b["x"], b["y"]) == ([1, 2, 4], pytest.approx([100, 200, 400]))
    assert (a["x"], a["y"]) == ([1, 2, 4], [pytest.approx(100), None, pytest.approx(400)])
    assert (figure["layout"]["xaxis"]["type"], figure["layout"]["yaxis"]["type"]) == ("log", "log")
    assert figure["layout"]["xaxis"]["tickvals"] == [1, 2, 4]
    (chart,) = part(report, "Latency by batch").charts
    assert [key.name for key in chart.keys] == [b["legendgroup"], a["legendgroup"]] == ["b", "a"]


def test_whiskers_are_the_interval_of_the_median() -> None:
    times = (0.9, 0.99, 1.0, 1.0, 1.01, 1.5)
    other = fake_result(
        seconds=(0.5,) * 5, workload=replace(WORKLOAD, sizes={**WORKLOAD.sizes, "batch": 4})
    )
    (figure,) = figures(fake_report(fake_result(seconds=times), other), "Latency by batch")
    low, high = Measurement(times, 0, 0, warm=True, converged=True).interval
    bars = figure["data"][0]["error_y"]
    assert bars["array"] == pytest.approx([1e3 * (high - 1), 0])
    assert bars["arrayminus"] == pytest.approx([1e3 * (1 - low), 0])


def test_one_batch_is_bars_with_their_numbers() -> None:
    report = fake_report(fake_result("a", (0.5,) * 6), fake_result("b", (0.25,) * 6))
    (figure,) = figures(report, "Latency by batch")
    assert [trace["x"] for trace in figure["data"]] == [[500.0], [250.0]]
    assert [each["text"] for each in figure["layout"]["annotations"]] == [
        "a: 500.00 ms",
        "b: 250.00 ms",
    ]


def test_clocks_are_never_mixed_in_one_chart() -> None:
    device = Measurement((0.25,) * 6, 1, 10, True, True, "device")
    report = fake_report(replace(fake_result("a"), device=device), fake_result("b"))
    call, gpu = part(report, "Latency by batch").charts
    assert "call clock" in call.title and "device clock" in gpu.title
    assert [len(chart.figure["data"]) for chart in (call, gpu)] == [2, 1]


def test_each_round_has_a_lane_of_its_samples() -> None:
    (figure,) = figures(fake_report(rounds(4, 0, 3)), "Samples")
    assert [len(trace["x"]) for trace in figure["data"]] == [4, 3]
    lanes = [trace["y0"] for trace in figure["data"]]
    assert lanes == sorted(lanes) and len(set(lanes)) == 2
    assert [trace["name"] for trace in figure["data"]] == ["fake, round 1", "fake, round 2"]


def test_samples_are_drawn_around_their_median() -> None:
    (figure,) = figures(fake_report(fake_result(seconds=(0.9, 1.0, 1.2))), "Samples")
    (trace,) = figure["data"]
    assert trace["x"] == pytest.approx([-10, 0, 20])
    assert trace["customdata"] == pytest.approx([900, 1000, 1200])


@pytest.mark.parametrize("count", [MOST_POINTS, MOST_POINTS + 1, 10_000])
def test_too_many_samples_are_thinned(count: int) -> None:
    times = tuple(0.001 * (n + 1) for n in range(count))
    (figure,) = figures(fake_report(fake_result(seconds=times)), "Samples")
    drawn = figure["data"][0]["customdata"]
    assert MOST_POINTS / 2 < len(drawn) <= MOST_POINTS
    assert drawn[0] == pytest.approx(1)


def roofline(**changes: Any) -> Report:
    known = replace(fake_result("known"), bytes_moved=10**9)
    report = fake_report(known, fake_result("unknown"), fake_result("gone", Skipped("gone")))
    return replace(report, ceiling=Ceiling(100.0, 2048, 1, gb_per_second=10.0), **changes)


def test_rows_lie_under_both_ceilings() -> None:
    (figure,) = figures(roofline(), "Roofline")
    roof, row = figure["data"]
    assert (row["x"], row["y"]) == ([4.0], [8.0])
    assert roof["x"] == pytest.approx([1, 10, 40])
    assert roof["y"] == pytest.approx([10, 100, 100])
    assert roof["legendgroup"] == "fp32 ceiling: 100 GFLOP/s, 10 GB/s"


def test_what_the_roofline_leaves_out_is_told() -> None:
    told = part(roofline(), "Roofline").notes
    assert told == (
        "Left out, the bytes that it moves were not counted: unknown on mpd-11, 2 x 11025.",
    )
    flat = fake_report(replace(fake_result(), bytes_moved=1))
    assert part(flat, "Roofline").charts == ()
    assert (
        "Left out, a ceiling without a copy's speed: fp32 on the CPU."
        in part(flat, "Roofline").notes
    )


def test_each_device_and_precision_has_its_ceiling() -> None:
    gpu = Ceiling(1000.0, 8192, 0, gb_per_second=100.0)
    half = Ceiling(9000.0, 8192, 0, "fp16", 100.0)
    report = roofline(gpu_ceiling=gpu, ceilings=(gpu, half))
    cpu, card = part(report, "Roofline").charts
    assert [key.name for key in cpu.keys][1:] == ["known"]
    assert [key.name.split()[0] for key in card.keys] == ["fp32", "fp16"]


def test_every_output_is_drawn_in_its_order_beside_pytorch_and_the_budget() -> None:
    report = fake_report(fake_result(parity=with_snrs(120.0, 90.0, 130.0)))
    (figure,) = figures(report, "Parity")
    own, budget, line = figure["data"]
    assert line["x"] == own["x"] == ["o0", "o1", "o2"]
    assert line["y"] == [120.0, 90.0, 130.0]
    assert own["y"] == [124.0] * 3
    assert set(budget["y"]) == {100.0}
    assert line["marker"]["symbol"] == ["circle", "x", "circle"]
    assert "FAILED" in line["text"][1] and "FAILED" not in line["text"][0]


@pytest.mark.parametrize(
    ("snr", "end", "text"),
    [(inf, 1, "exact"), (-inf, 0, "no finite SNR"), (nan, 0, "no finite SNR")],
)
def test_what_is_not_finite_lies_at_an_end_with_its_name(snr: float, end: int, text: str) -> None:
    (figure,) = figures(fake_report(fake_result(parity=with_snrs(120.0, snr))), "Parity")
    place = figure["data"][-1]["y"][1]
    bottom, top = figure["layout"]["yaxis"]["range"]
    assert bottom < place < top
    assert place > 124 if end else place < 100
    (note,) = figure["layout"]["annotations"]
    assert (note["text"], note["y"]) == (text, place)


def test_each_precision_has_its_own_line_to_beat_and_budget() -> None:
    half = replace(WORKLOAD, precision="fp16")
    results = (
        fake_result("a", parity=with_snrs(120.0)),
        fake_result("b", parity=with_snrs(60.0, budget=48.0), workload=half),
    )
    (chart,) = part(fake_report(*results), "Parity").charts
    assert [key.name for key in chart.keys] == [
        "PyTorch itself, fp32",
        "PyTorch itself, fp16",
        "budget, 48 dB",
        "budget, 100 dB",
        "a",
        "b",
    ]


def test_a_backend_looks_the_same_in_every_chart() -> None:
    hole = Skipped("gone")
    other = replace(WORKLOAD, variant="msd-0")
    report = fake_report(
        fake_result("a"),
        fake_result("b"),
        fake_result("a", hole, hole, other),
        fake_result("b", workload=other),
    )
    looks = {
        key
        for section in sections(report)
        for chart in section.charts
        for key in chart.keys
        if key.name == "b"
    }
    assert len(looks) == 1


def test_outputs_of_unlike_results_are_all_there() -> None:
    other = Parity(100.0, (OutputParity("only", 120.0, 0, 0, 1, 120, (1,)),))
    (figure,) = figures(fake_report(fake_result("a"), fake_result("b", parity=other)), "Parity")
    assert figure["layout"]["xaxis"]["categoryarray"] == ["score", "fmap_0", "only"]
