"""A report as a document: what each table, fact and note says of a record."""

from dataclasses import replace
from math import inf

import pytest

from bench.records import (
    Ceiling,
    Claim,
    ColdStart,
    GpuMoment,
    GpuState,
    Layer,
    Measurement,
    Result,
    Skipped,
)
from bench.render.document import Table
from bench.render.views import machine
from bench.render.views.latency import latency
from bench.render.views.report import document, facts
from bench.render.views.report_tables import (
    costs,
    gpu_at_work,
    layers,
    parity,
    proofs,
    samples,
    settings,
    skipped,
)
from bench.render.views.speedups import together
from export.request import views_of
from fakes import PARITY, WORKLOAD, fake_report, fake_result

ROW = "fake on mpd-11, 2 x 11025"
BROKEN = Skipped("parity failed")


def told_of(table: Table, row: int = 0) -> dict[str, str]:
    return dict(zip(table.header, table.rows[row], strict=True))


def measured(**changes: object) -> Result:
    result = fake_result()
    assert isinstance(result.measurement, Measurement)
    return replace(result, measurement=replace(result.measurement, **changes))  # type: ignore[arg-type]


# Latency


def test_a_row_says_everything_in_its_unit() -> None:
    (found,) = latency(fake_report(fake_result("torch")))
    assert found.title == "mpd-11, 2 x 11025, 4.00 GFLOP"
    assert told_of(found) == {
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
    assert found.notes == ()


def test_an_interval_needs_six_samples() -> None:
    (few,) = latency(fake_report(measured(seconds=(0.5,) * 5)))
    (enough,) = latency(fake_report(measured(seconds=(0.5,) * 6)))
    assert (few.rows[0][2], enough.rows[0][2]) == ("-", "0.0")


def test_a_row_above_the_peak_says_why() -> None:
    (found,) = latency(fake_report(measured(seconds=(0.039,) * 6)))
    assert found.rows[0][4] == "103"
    assert found.notes == ("fake: above the peak: the machine was slower when that was measured",)


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
    assert found.notes == ("nope: no backend 'nope': choose from torch",)


def test_a_failed_parity_shows_its_errors_and_no_speed() -> None:
    wrong = replace(PARITY, outputs=(replace(PARITY.outputs[0], snr_db=-inf),))
    hole = Skipped("parity failed: score has an SNR of -inf dB, the budget is 100 dB")
    report = fake_report(fake_result("bad", hole, wrong))
    (found,) = latency(report)
    assert found.rows[0][1:6] == ("-",) * 5
    assert found.rows[0][6:8] == ("-inf", "124.0")
    assert found.notes == (f"bad: {hole.reason}",)
    assert "FAILED" in parity(report)[0].title


@pytest.mark.parametrize(
    ("warm", "converged", "notes"),
    [
        (False, True, ("fake: not warm",)),
        (True, False, ("fake: unconverged",)),
        (False, False, ("fake: not warm, unconverged",)),
    ],
)
def test_what_to_distrust_is_never_hidden(
    warm: bool, converged: bool, notes: tuple[str, ...]
) -> None:
    report = fake_report(measured(warm=warm, converged=converged))
    assert latency(report)[0].notes == notes


# Several networks together


def of_network(
    backend: str, network: str, seconds: float, batch: int = 2, pair: bool = False
) -> Result:
    load = replace(
        WORKLOAD,
        variant=network,
        sizes={**WORKLOAD.sizes, "batch": batch},
        views=views_of("all", pair),
    )
    return fake_result(backend, (seconds,) * 8, workload=load)


ROWS = (
    of_network("torch", "mpd", 0.3),
    of_network("ort-cpu", "mpd", 0.1),
    of_network("torch", "msd", 0.1),
    of_network("ort-cpu", "msd", 0.1),
)


def test_times_of_networks_are_added_before_they_are_compared() -> None:
    (table,) = together(fake_report(*ROWS))
    assert table.title == "mpd + msd, 2 x 11025: how many times as fast"
    assert table.header == ("backend", "median ms", "times torch", "SNR dB")
    assert table.rows == (
        ("torch", "400.00", "1.00x (1.00 to 1.00)", "120.0"),
        ("ort-cpu", "200.00", "2.00x (2.00 to 2.00)", "120.0"),
    )


def test_a_precision_is_no_other_shape() -> None:
    less = of_network("ort-cpu:precision=int8", "mpd", 0.05)
    less = replace(less, workload=replace(less.workload, precision="int8"))
    both = (less, replace(less, workload=replace(less.workload, variant="msd")))
    (table,) = together(fake_report(*ROWS, *both))
    assert table.rows[2][:3] == ("ort-cpu:precision=int8", "100.00", "4.00x (4.00 to 4.00)")


def test_each_shape_has_its_own_table() -> None:
    more = [replace(each, workload=replace(each.workload, views=("pair",))) for each in ROWS]
    titles = [table.title for table in together(fake_report(*ROWS, *more))]
    assert titles[1] == "mpd + msd, 2 x 11025 real and generated: how many times as fast"
    assert len(titles) == 2


def test_a_network_without_a_speed_is_a_hole_and_one_without_a_row_is_left_out() -> None:
    failed = fake_result(
        "openvino",
        BROKEN,
        BROKEN,
        replace(WORKLOAD, variant="msd", sizes={**WORKLOAD.sizes, "batch": 2}),
    )
    rows = (
        *ROWS,
        of_network("openvino", "mpd", 0.1),
        failed,
        of_network("torch-folded", "mpd", 0.1),
    )
    (table,) = together(fake_report(*rows))
    assert table.rows[2:] == (("openvino", "-", "-", "-"),)


@pytest.mark.parametrize(
    "rows", [(), ROWS[:2], ROWS[1:2] + ROWS[3:], ROWS[1:]], ids=["none", "one", "no peer", "half"]
)
def test_there_is_no_table_where_nothing_can_be_compared(rows: tuple[Result, ...]) -> None:
    assert together(fake_report(*rows)) == ()


# Statistics, errors, settings


def test_every_statistic_is_listed() -> None:
    times = tuple(i / 100 for i in range(1, 131))
    found = samples(fake_report(measured(seconds=times), fake_result("gone", Skipped("gone"))))
    assert len(found.rows) == 1
    told = told_of(found)
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


# Costs


COSTLY = replace(
    fake_result("trt"),
    cold_start=ColdStart(1.234, 20.5, 0.0123),
    peak_memory_bytes=1_234_500_000,
    device_memory_bytes=Skipped("runs on the host"),
    joules_per_item=0.5,
    checked=10,
    repeat_gain=1.2,
)


def test_every_cost_has_its_column() -> None:
    assert told_of(costs(fake_report(COSTLY, fake_result("old")))) == {
        "row": "trt on mpd-11, 2 x 11025",
        "import s": "1.23",
        "prepare s": "20.50",
        "first call s": "0.012",
        "process MB": "1234",
        "GPU MB": "-",
        "J per item": "0.500",
        "checked passes": "10",
        "repeat gain": "1.20",
    }


def test_an_input_that_is_faster_again_is_told() -> None:
    (told,) = latency(fake_report(COSTLY))
    assert told.notes == ("trt: the same input again is 20 % faster",)
    (quiet,) = latency(fake_report(replace(COSTLY, repeat_gain=1.09)))
    assert quiet.notes == ()


# The GPU


FREE = GpuMoment(1980, 2619, (), 650.4, 61, 0)


CAPPED = replace(FREE, sm_mhz=1500, throttle_reasons=("software power cap",), watts=700.1)


def by_clocks(call: tuple[GpuMoment, ...], device: tuple[GpuMoment, ...] | Skipped) -> Result:
    timed = fake_result("trt")
    assert isinstance(timed.measurement, Measurement)
    by_call = replace(timed.measurement, gpu=call)
    by_device = replace(timed.measurement, clock="device", gpu=device)
    return replace(timed, measurement=by_call, device=by_device)


def test_every_clock_that_was_asked_has_a_line() -> None:
    silent = by_clocks((FREE,), Skipped("no NVIDIA driver answers"))
    found = gpu_at_work(
        fake_report(fake_result("ort-cpu"), by_clocks((FREE, CAPPED), (FREE,)), silent)
    )
    name = "trt on mpd-11, 2 x 11025"
    free = ("1980", "2619", "650", "61", "0", "no")
    ranges = ("1500 to 1980", "2619", "650 to 700", "61", "0", "software power cap")
    assert found.rows == (
        (f"{name}, call", *ranges),
        (f"{name}, device", *free),
        (f"{name}, call", *free),
    )


def test_without_a_gpu_there_is_no_table() -> None:
    assert gpu_at_work(fake_report(fake_result(), fake_result("x", Skipped("gone")))).rows == ()


@pytest.mark.parametrize(
    ("call", "device", "remark"),
    [
        (FREE, FREE, ()),
        (CAPPED, CAPPED, ("trt: throttled: software power cap",)),
        (FREE, CAPPED, ("trt: device throttled: software power cap",)),
    ],
)
def test_a_throttled_row_says_so_above_its_other_clocks(
    call: GpuMoment, device: GpuMoment, remark: tuple[str, ...]
) -> None:
    (found,) = latency(fake_report(by_clocks((call,), (device,))))
    assert found.notes == remark


# Proofs, and what was skipped


def test_every_claim_has_a_row() -> None:
    claims = (Claim("device", "GPU", "CPU", holds=False), Claim("tf32", "off", "off", holds=True))
    found = proofs(fake_report(replace(fake_result(seconds=Skipped("INVALID")), proof=claims)))
    assert found.rows == (
        (ROW, "device", "GPU", "CPU", "NO: INVALID"),
        (ROW, "tf32", "off", "off", "yes"),
    )


def test_a_reason_is_told_once_with_its_rows() -> None:
    hole, host = Skipped("pip install it"), Skipped("runs on the host")
    on_host = replace(fake_result(), device=host)
    found = skipped(fake_report(fake_result("gone", hole, hole), on_host, on_host))
    assert found.rows == (
        ("prepare seconds, parity, measurement", hole.reason, "gone on mpd-11, 2 x 11025"),
        ("device", host.reason, f"{ROW}; {ROW}"),
    )


def test_a_reason_of_all_rows_does_not_name_them() -> None:
    on_host = replace(fake_result(), device=Skipped("runs on the host"))
    assert skipped(fake_report(on_host, on_host)).rows == (
        ("device", "runs on the host", "every row"),
    )


def test_what_was_never_asked_for_is_no_hole() -> None:
    assert skipped(fake_report(fake_result())).rows == ()


# Layers


GIGA = 10**9
CEILING = Ceiling(100.0, 2048, 1, "fp32", 10.0)
LAYERS = (
    Layer("pad", "Pad", 0, GIGA // 1000, Skipped("computed within a")),
    Layer("a", "Conv + LeakyRelu", GIGA, GIGA // 1000, 0.020),
    Layer("b", "Conv", GIGA, GIGA, 0.400),
    Layer("fast", "Slice", 0, 8, 0.0),
    Layer("other", "Reorder", 0, 0, 0.080),
)


def of_layers(timed: tuple[Layer, ...] = LAYERS) -> Result:
    return replace(fake_result(), layers=timed, bytes_moved=sum(each.bytes for each in timed))


LAYERED = replace(fake_report(of_layers()), ceilings=(CEILING,))


def test_a_row_of_a_layer_says_everything() -> None:
    (found,) = layers(LAYERED)
    assert found.title == "Layers of fake on mpd-11, 2 x 11025"
    assert found.header == ("layer", "kind", "ms", "share %", "GFLOP/s", "% bound")
    assert found.rows == (
        ("pad", "Pad", "-", "-", "-", "-"),
        ("a", "Conv + LeakyRelu", "20.00", "4.0", "50.0", "50"),
        ("b", "Conv", "400.00", "80.0", "2.5", "25"),
        ("fast", "Slice", "0.00", "0.0", "-", "-"),
        ("other", "Reorder", "80.00", "16.0", "-", "-"),
    )


def test_the_sum_stands_beside_the_measured_median() -> None:
    (found,) = layers(LAYERED)
    total, within = found.notes
    assert total.startswith("sum 500.00 ms, 100 % of the median 500.00 ms without a profiler")
    assert within == "pad: computed within a"


def test_on_a_gpu_it_stands_beside_the_device_clock() -> None:
    device = Measurement((0.25,) * 4, 1.0, 10, warm=True, converged=True, clock="device")
    (found,) = layers(replace(LAYERED, results=(replace(of_layers(), device=device),)))
    assert "200 % of the median 250.00 ms" in found.notes[0]


def test_without_a_time_there_is_no_table_and_the_reason_stands_beside_the_of_layers() -> None:
    hole = Skipped("torch has no profiler of its layers here")
    asked = of_layers(tuple(replace(layer, seconds=hole) for layer in LAYERS))
    report = replace(fake_report(asked), ceilings=(CEILING,))
    assert layers(report) == ()
    (table,) = latency(report)
    assert table.notes == (f"fake: no times of its layers: {hole.reason}",)
    assert layers(fake_report(fake_result())) == ()
    assert latency(fake_report(fake_result()))[0].notes == ()


def test_the_latency_says_bytes_and_the_bound() -> None:
    (found,) = latency(LAYERED)
    told = told_of(found)
    # 2.002 GB in 0.5 s; the least is 10 ms for a, 100 ms for b and 0.1 ms for the pad
    assert (told["GB/s"], told["% bound"]) == ("2.0", "22")


def test_a_row_above_its_bound_says_why() -> None:
    """A cache may hold what the bound counts."""
    small = replace(CEILING, gb_per_second=1.0)
    (found,) = latency(replace(LAYERED, ceilings=(small,)))
    told = told_of(found)
    assert told["% bound"] == "202"
    (remark,) = found.notes
    assert remark.startswith("fake: above the bound: caches held what it counts as moved")


# The machine


def test_the_context_says_machine_peak_and_notes() -> None:
    lines = facts(fake_report(fake_result(), notes=("x.wav is at 16000 Hz",)))
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
    lines = facts(replace(report, machine=machine, ceilings=ceilings))
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


def test_what_a_machine_does_not_tell_is_left_out() -> None:
    told = dict(machine.table(fake_report()).about)
    assert (told["CPU"], told["GPU"]) == ("A CPU", "not taken")
    assert "governor" not in told and "commit" not in told


def test_the_table_of_a_machine_says_what_its_lines_say() -> None:
    report = fake_report()
    told = machine.table(replace(report, machine=replace(report.machine, commit="0123-dirty")))
    rows = dict(told.about)
    assert (rows["CPU"], rows["load"], rows["memory"]) == ("A CPU", "0.5", "8 GiB")
    assert (rows["commit"], rows["python"]) == ("0123-dirty", "3.11")
    assert rows["peak 1"] == "100 GFLOP/s, float32 product of 2048 x 2048 matrices on 1 threads"


def test_a_report_of_nothing_has_its_machine_and_a_short_one_begins_with_speedups() -> None:
    assert [section.title for section in document(fake_report()).sections] == ["Machine"]
    made = document(fake_report(*ROWS))
    assert made.summary[0].title == made.sections[0].tables[0].title
    assert made.summary[0].title.endswith("how many times as fast")


# Audio


def test_audio_that_is_made_has_its_own_columns() -> None:
    names = {"RTF", "first audio ms", "log-mel"}
    (plain,) = latency(fake_report(fake_result("torch")))
    assert not names & set(plain.header), "of a network whose outputs are no audio"
    heard = replace(PARITY, outputs=tuple(replace(o, log_mel=0.002) for o in PARITY.outputs))
    result = replace(
        fake_result("torch"),
        workload=replace(WORKLOAD, makes_audio=True),
        parity=heard,
        cold_start=ColdStart(1.0, 0.25, 0.5),
    )
    (found,) = latency(fake_report(result))
    told = told_of(found)
    assert told["RTF"] == f"{result.real_time_factor:.3g}"
    assert (told["first audio ms"], told["log-mel"]) == ("750.00", "2.0e-03")
    assert told_of(costs(fake_report(result)))["warm audio ms"] == "500.00"
    assert "log-mel" in parity(fake_report(result))[0].header
