"""Two reports: verdicts on known distributions, what a guard must tell, and how it is shown."""

import json
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from bench import record_json
from bench.compare.ratio import Ratio
from bench.compare.verdicts import Cell, Change, Comparison, Gone, compare
from bench.hardware import Others
from bench.records import NOT_TAKEN, GpuState, Machine, Measurement, Report, Result, Skipped
from bench.render.views.comparison import document, record
from fakes import WORKLOAD, fake_report, fake_result
from hifigan_ref.errors import HifiError
from shown import printed

TRIALS = 200
HOLE = Skipped("pip install absent[gpu]")
GPU = GpuState(
    "H100", "9.0", "580", "13.0", 2**36, 0, 1980, 2619, (), 120.0, 40, ecc=True, mig=False,
    other_processes=0,
)  # fmt: skip


def measurement(
    rng: np.random.Generator, factor: float = 1.0, count: int = 200, noise: float = 0.03
) -> Measurement:
    seconds = factor * np.exp(noise * rng.standard_normal(count))
    return Measurement(tuple(seconds.tolist()), 1.0, 10, warm=True, converged=True)


def row(of: Measurement | Skipped, backend: str = "ort-cpu") -> Result:
    return replace(fake_result(backend), measurement=of)


def on(machine: Machine, *results: Result) -> Report:
    return replace(fake_report(*(results or (fake_result(),))), machine=machine)


def cell(before: Result, after: Result, threshold: float = 0.02) -> Cell:
    (found,) = compare(fake_report(before), fake_report(after), threshold).cells
    return found


def verdicts(factor: float, count: int = 200, noise: float = 0.03) -> Counter[str]:
    rng = np.random.default_rng(7)
    pairs = (
        (measurement(rng, 1.0, count, noise), measurement(rng, factor, count, noise))
        for _ in range(TRIALS)
    )
    return Counter(cell(row(a), row(b)).verdict for a, b in pairs)


# Verdicts


def test_equal_is_the_same() -> None:
    found = verdicts(1.0)
    assert found["SAME"] >= 0.95 * TRIALS
    assert found["SLOWER"] + found["FASTER"] == 0


@pytest.mark.parametrize("count", [6, 7, 15, 30])
def test_equal_and_noisy_is_seldom_taken_for_a_change(count: int) -> None:
    found = verdicts(1.0, count, noise=0.3)
    assert found["SLOWER"] + found["FASTER"] <= 0.05 * TRIALS


def test_five_per_cent_slower_is_found() -> None:
    found = verdicts(1.05)
    assert found["SLOWER"] >= 0.95 * TRIALS
    assert found["SAME"] + found["FASTER"] == 0


def test_five_per_cent_slower_is_not_called_the_same_when_it_is_noisy() -> None:
    assert verdicts(1.05, noise=0.1)["SAME"] <= 0.05 * TRIALS


def test_ten_per_cent_faster_is_found() -> None:
    assert verdicts(0.9) == {"FASTER": TRIALS}


@pytest.mark.parametrize("factor", [1.0, 1.1, 0.5])
def test_three_samples_are_ambiguous(factor: float) -> None:
    assert verdicts(factor, count=3) == {"AMBIGUOUS": TRIALS}
    rng = np.random.default_rng(0)
    found = cell(row(measurement(rng)), row(measurement(rng, factor, 3)))
    assert found.remarks == ("too few samples: 3 of 6",)


@pytest.mark.parametrize(
    ("low", "high", "verdict"),
    [
        (0.90, 0.97, "FASTER"),
        (0.90, 0.98, "AMBIGUOUS"),  # the whole interval, its end excluded
        (0.97, 1.00, "AMBIGUOUS"),
        (0.98, 1.02, "SAME"),
        (0.98, 1.03, "AMBIGUOUS"),
        (0.90, 1.10, "AMBIGUOUS"),
        (1.02, 1.10, "AMBIGUOUS"),
        (1.03, 1.10, "SLOWER"),
    ],
)
def test_only_the_whole_interval_decides(low: float, high: float, verdict: str) -> None:
    ratio = Ratio(1.0, (low + high) / 2, low, high, by_rounds=True, enough=True)
    assert Change("call", ratio, 0.02).verdict == verdict
    assert Change("call", replace(ratio, enough=False), 0.02).verdict == "AMBIGUOUS"


def test_the_threshold_is_what_is_asked_for() -> None:
    rng = np.random.default_rng(1)
    before, after = row(measurement(rng)), row(measurement(rng, 1.05))
    assert cell(before, after, 0.02).verdict == "SLOWER"
    assert cell(before, after, 0.10).verdict == "SAME"


def test_a_gpu_is_judged_by_its_own_clock() -> None:
    rng = np.random.default_rng(2)
    before = replace(row(measurement(rng)), device=replace(measurement(rng), clock="device"))
    slower = replace(before, device=replace(measurement(rng, 1.2), clock="device"))
    found = cell(before, slower)
    assert isinstance(found.outcome, Change)
    assert (found.outcome.clock, found.verdict) == ("device", "SLOWER")
    lone = cell(before, replace(slower, device=NOT_TAKEN))
    assert isinstance(lone.outcome, Change)
    assert (lone.outcome.clock, lone.verdict) == ("call", "SAME")


# What has no verdict


def only(before: tuple[Result, ...], after: tuple[Result, ...]) -> Comparison:
    """Compared beside a row that both have."""
    both = fake_result("torch", (0.5,) * 6)
    return compare(fake_report(both, *before), fake_report(both, *after))


LOST = {
    "absent": ((), "not in B"),
    "skipped": ((row(HOLE),), "skipped in B: pip install absent[gpu]"),
    "precision": (
        (replace(row(measurement(np.random.default_rng(0))), workload=replace(
            WORKLOAD, precision="tf32")),),
        "precision: fp32 in A, tf32 in B",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", LOST)
def test_what_only_a_measured_is_a_regression(case: str) -> None:
    after, reason = LOST[case]
    found = only((fake_result("ort-cpu"),), after)
    same, lost = found.cells
    assert (same.verdict, lost.verdict, lost.outcome) == ("SAME", "LOST", Gone(reason))
    assert found.regressions == (lost,)


@pytest.mark.parametrize(
    ("before", "after", "reason"),
    [
        ((), (fake_result("ort-cpu"),), "only in B"),
        ((row(HOLE),), (fake_result("ort-cpu"),), "skipped in A: pip install absent[gpu]"),
        ((row(HOLE),), (row(HOLE),), "skipped in A: pip install absent[gpu]"),
        ((row(HOLE),), (), "skipped in A: pip install absent[gpu]"),
    ],
)
def test_what_a_did_not_measure_is_told(
    before: tuple[Result, ...], after: tuple[Result, ...], reason: str
) -> None:
    found = only(before, after)
    assert (found.cells[1].verdict, found.cells[1].outcome) == ("NOT COMPARED", Skipped(reason))
    assert found.regressions == ()


def test_a_skipped_row_is_found_although_it_does_not_tell_its_precision() -> None:
    half = replace(fake_result("openvino"), workload=replace(WORKLOAD, precision="bf16"))
    found = only((half,), (fake_result("openvino", HOLE),))
    assert [each.verdict for each in found.cells] == ["SAME", "LOST"]
    assert found.cells[1].workload.precision == "bf16"


def test_another_workload_is_another_cell() -> None:
    wide = replace(
        fake_result("ort-cpu"), workload=replace(WORKLOAD, sizes={**WORKLOAD.sizes, "batch": 4})
    )
    found = only((fake_result("ort-cpu"),), (wide,))
    assert [each.verdict for each in found.cells] == ["SAME", "LOST", "NOT COMPARED"]


def test_a_cell_that_is_there_twice_is_compared_twice() -> None:
    fast, slow = (fake_result("x", (seconds,) * 6) for seconds in (0.5, 0.6))
    found = compare(fake_report(fast, fast), fake_report(fast, slow))
    assert [each.verdict for each in found.cells] == ["SAME", "SLOWER"]


def test_nothing_measured_is_no_guard() -> None:
    for empty in (fake_report(), fake_report(fake_result("x", HOLE))):
        with pytest.raises(HifiError, match="A measured nothing"):
            compare(empty, fake_report(fake_result()))


@pytest.mark.parametrize("threshold", [0.0, -0.1, 1.0, float("nan"), float("inf")])
def test_a_threshold_out_of_range(threshold: float) -> None:
    with pytest.raises(HifiError, match="more than 0, less than 100"):
        compare(fake_report(fake_result()), fake_report(fake_result()), threshold)


def test_what_to_distrust_is_told() -> None:
    before = row(Measurement((0.5,) * 6, 1.0, 10, warm=False, converged=True))
    after = row(Measurement((0.5,) * 6, 1.0, 10, warm=True, converged=False))
    after = replace(after, settings={"threads": "2"})
    told = cell(before, after).remarks
    assert told == ("not warm in A", "unconverged in B", "threads: 1 in A, 2 in B")


def test_whether_drift_is_in_the_intervals_is_told() -> None:
    one = Measurement((0.5,) * 10, 1.0, 10, warm=True, converged=True)
    rounds = replace(one, rounds=(2,) * 5)
    mixed = fake_report(row(rounds), row(one, "torch"))
    for after in (fake_report(row(rounds)), mixed):
        (note,) = compare(fake_report(row(one)), after).notes
        assert "fewer than 5 rounds" in note
    assert compare(mixed, mixed).notes == (note,), "one such cell is enough"
    assert compare(fake_report(row(rounds)), fake_report(row(rounds))).notes == ()


# Machines

HOST = replace(fake_report().machine, features=("avx2",), quota=0.0, gpu=GPU)
OTHER: dict[str, dict[str, object]] = {
    "cpu: A CPU in A, B CPU in B": {"cpu": "B CPU"},
    "cores: 2 in A, 4 in B": {"cores": 4},
    "quota: none in A, 0.5 cores in B": {"quota": 0.5},
    "system: Linux 6 x86_64 in A, Linux 7 x86_64 in B": {"system": "Linux 7 x86_64"},
    "features: avx2 in A, avx2 amx_tile in B": {"features": ("avx2", "amx_tile")},
    "gpu: H100 in A, H200 in B": {"gpu": replace(GPU, name="H200")},
    "gpu: H100 in A, H100, partitioned in B": {"gpu": replace(GPU, mig=True)},
    "gpu: H100 in A, none in B": {"gpu": Skipped("no NVIDIA driver answers")},
}


@pytest.mark.parametrize("told", OTHER)
def test_another_machine_is_refused_unless_insisted(told: str) -> None:
    before, after = on(HOST), on(replace(HOST, **OTHER[told]))  # type: ignore[arg-type]
    with pytest.raises(HifiError) as error:
        compare(before, after)
    assert f"({told})" in str(error.value) and "--across-machines" in str(error.value)
    assert told in compare(before, after, across_machines=True).notes


def test_every_difference_is_listed() -> None:
    with pytest.raises(HifiError, match="cpu: .*; cores: "):
        compare(on(HOST), on(replace(HOST, cpu="B CPU", cores=4)))


def test_what_an_older_report_does_not_tell_is_no_difference() -> None:
    old = replace(HOST, features=(), quota=None, gpu=NOT_TAKEN)
    for other in (HOST, replace(HOST, quota=0.5)):
        assert compare(on(old), on(other)).cells


def test_parts_of_a_core_are_told_apart() -> None:
    """Both have one thread."""
    before, after = (on(replace(HOST, cores=1, quota=quota)) for quota in (1.25, 1.75))
    with pytest.raises(HifiError, match=r"\(quota: 1.25 cores in A, 1.75 cores in B\)"):
        compare(before, after)


def test_versions_may_differ_and_are_told() -> None:
    after = replace(
        HOST,
        versions={"python": "3.12", "torch": "2.13"},
        load=9.0,
        commit="abc",
        gpu=replace(GPU, driver="590", celsius=70),
    )
    told = compare(on(HOST), on(after)).notes
    assert told[:4] == (
        "commit: none in A, abc in B",
        "driver: 580 in A, 590 in B",
        "python: 3.11 in A, 3.12 in B",
        "torch: none in A, 2.13 in B",
    )


# Views


def dump(comparison: Comparison) -> bytes:
    return record_json.dump(record(comparison))


@pytest.fixture
def mixed() -> Comparison:
    fast, slow = (fake_result("torch", (seconds,) * 6) for seconds in (0.5, 0.6))
    return compare(fake_report(fast, fake_result("ort-cpu")), fake_report(slow))


def test_the_table_says_everything(mixed: Comparison) -> None:
    lines = printed(document(mixed)).splitlines()
    assert any("mpd-11, 2 x 11025, outputs all, clip, seed 0, 1 threads" in line for line in lines)
    torch = next(line.split() for line in lines if line.split()[:1] == ["torch"])
    assert torch == ["torch", "call", "500.00", "600.00", "1.200", "1.200", "to", "1.200", "SLOWER"]
    lost = next(line.split() for line in lines if line.split()[:1] == ["ort-cpu"])
    assert lost == ["ort-cpu", *"-----", "LOST"]
    assert "  ort-cpu: not in B" in lines
    assert lines[-1] == "2 regressions (SLOWER and LOST) at 2 %: 1 SLOWER, 1 LOST"


def test_few_samples_show_no_interval() -> None:
    few = fake_result("torch", (0.5,) * 3)
    comparison = compare(fake_report(few), fake_report(few))
    assert "1.000 to 1.000" not in printed(document(comparison))
    assert json.loads(dump(comparison))["cells"][0]["interval"] is None


def test_a_busy_machine_is_told() -> None:
    quiet = fake_report(fake_result())
    busy = fake_report(replace(fake_result(), others=Others(1.4, 2, 0.0)))
    comparison = compare(quiet, busy)
    (line,) = document(comparison).warnings
    told = "the machine of B was busy: other processes took 1.4 of 2 cores; verdicts"
    assert line.startswith(told) and json.loads(dump(comparison))["warnings"] == [line]
    both = [line[:20] for line in compare(busy, busy).warnings]
    assert both == ["the machine of A was", "the machine of B was"]
    assert compare(quiet, quiet).warnings == ()


def test_json_has_every_number(mixed: Comparison) -> None:
    told = json.loads(dump(mixed))
    slower, lost = told["cells"]
    assert (told["threshold"], told["regressions"], len(told["notes"])) == (0.02, 2, 1)
    assert slower["workload"]["variant"] == "mpd-11" and slower["backend"] == "torch"
    assert (slower["verdict"], slower["clock"], slower["by_rounds"]) == ("SLOWER", "call", False)
    assert slower["interval"] == [1.2, 1.2] and slower["ratio"] == 1.2
    assert (slower["before_seconds"], slower["after_seconds"]) == (0.5, 0.6)
    assert (lost["verdict"], lost["reason"]) == ("LOST", "not in B")


def test_no_regression_is_said_too() -> None:
    same = fake_report(fake_result("torch", (0.5,) * 6))
    (verdict,) = document(compare(same, same)).verdicts
    assert verdict.good and verdict.text.startswith("no regressions ")
