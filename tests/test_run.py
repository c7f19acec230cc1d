"""Plans to one report: order, notes, what an interruption and a ledger leave."""

from collections.abc import Iterator
from dataclasses import replace
from itertools import cycle
from pathlib import Path
from typing import Any

import pytest

from bench import run as running
from bench.cell.group import Partial, Step
from bench.cell.ledger import Ledger
from bench.machine.survey import this_machine
from bench.records import Ceiling, Result
from bench.run import INTERRUPTED, run
from bench.stopping import Limits
from bench.suite import Plan
from export import store
from fakes import WORKLOAD, fake_result
from hifigan_ref import audio
from hifigan_ref.errors import HifiError
from hifigan_ref.source import Source, Weights
from hifigan_ref.variant import Variant

PLAN = Plan(
    backends=("torch", "ort-cpu"),
    variants=(Variant("mpd", "11"),),
    batches=(2,),
    sizes={"samples": 11025},
    views=(),
    threads=1,
    recording=replace(audio.clip(), note="a note"),
    limits=Limits(),
)
OTHER = replace(
    PLAN, sizes={**PLAN.sizes, "samples": 500}, recording=replace(audio.clip(), note="")
)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    speeds = cycle((50.0, 100.0, 60.0, 70.0, 1.0, 2.0))
    machine = this_machine()

    def ceilings(threads: int) -> tuple[Ceiling, ...]:
        return (Ceiling(next(speeds), 64, threads, gb_per_second=10.0),)

    monkeypatch.setattr(running, "this_machine", lambda: machine)

    monkeypatch.setattr(running, "measure_ceilings", ceilings)
    monkeypatch.setattr(running, "measure_gpu_ceilings", lambda: ())


def sweeping(monkeypatch: pytest.MonkeyPatch, interrupt: bool = False) -> list[Plan]:
    """Sweeps that tell their rows the wrong way round; the second may be interrupted."""
    swept: list[Plan] = []

    def sweep(plan: Plan, weights: Weights, ledger: Ledger) -> Iterator[Step]:
        assert weights.identity == "seed 0"
        swept.append(plan)
        load = replace(WORKLOAD, sizes={**WORKLOAD.sizes, **plan.sizes})
        for name in reversed(plan.backends):
            row = fake_result(name, workload=load)
            if interrupt and len(swept) == 2:
                yield Partial(row)
                raise KeyboardInterrupt
            ledger.append(f"{name} {plan.sizes}", row)
            yield row

    monkeypatch.setattr(running, "sweep", sweep)
    return swept


def told(results: tuple[Result, ...]) -> list[tuple[str, int]]:
    return [(row.backend, row.workload.sizes["samples"]) for row in results]


def test_rows_stand_in_the_order_of_the_plans(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    swept = sweeping(monkeypatch)
    finished = run([PLAN, OTHER], [Source(), Source()], tmp_path, resume=False)
    assert swept == [PLAN, OTHER]
    assert not finished.interrupted
    report = finished.report
    assert told(report.results) == [
        ("torch", 11025),
        ("ort-cpu", 11025),
        ("torch", 500),
        ("ort-cpu", 500),
    ]
    assert report.notes == ("a note",)
    assert (report.sample_rate, report.created[-6:]) == (22050, "+00:00")


def test_the_better_of_two_ceilings_counts(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    sweeping(monkeypatch)
    report = run([PLAN], [Source()], tmp_path, resume=False).report
    assert report.ceiling.gflop_per_second == 100.0
    assert report.ceilings == (report.ceiling,)


def test_an_interruption_is_told_and_leaves_what_there_is(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    sweeping(monkeypatch, interrupt=True)
    finished = run([PLAN, OTHER, PLAN], [Source()] * 3, tmp_path, resume=False)
    assert finished.interrupted
    assert told(finished.report.results) == [
        ("torch", 11025),
        ("ort-cpu", 11025),
        ("ort-cpu", 500),
    ]
    assert finished.report.notes[-1] == INTERRUPTED


@pytest.mark.parametrize("resume", [True, False])
def test_a_ledger_is_kept_only_for_who_resumes(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, resume: bool
) -> None:
    seen = remembering(monkeypatch)
    run([PLAN], [Source()], tmp_path, resume=False)
    run([PLAN], [Source()], tmp_path, resume=resume)
    assert seen == [False, resume]


def remembering(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """Sweeps of one row, and whether the ledger knew it."""
    seen: list[bool] = []

    def sweep(plan: Plan, weights: Weights, ledger: Ledger) -> Iterator[Step]:
        del plan, weights
        seen.append(ledger.find("one") is not None)
        ledger.append("one", fake_result("torch"))
        yield fake_result("torch")

    monkeypatch.setattr(running, "sweep", sweep)
    return seen


@pytest.mark.parametrize(
    "changes",
    [{"cpu": "another"}, {"features": ("avx2", "A_LIMIT=AVX2")}, {"versions": {"torch": "0"}}],
    ids=["machine", "limit", "library"],
)
def test_rows_of_another_machine_or_library_are_measured_anew(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, changes: dict[str, Any]
) -> None:
    seen = remembering(monkeypatch)
    run([PLAN], [Source()], tmp_path, resume=True)
    here = this_machine()
    for machine in (replace(here, load=9.0), replace(here, **changes), here):
        monkeypatch.setattr(running, "this_machine", lambda machine=machine: machine)
        run([PLAN], [Source()], tmp_path, resume=True)
    assert seen == [False, True, False, True]


@pytest.mark.parametrize("package", ["bench", "export", "hifigan_ref"])
def test_rows_of_other_code_are_measured_anew(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, package: str
) -> None:
    seen = remembering(monkeypatch)
    run([PLAN], [Source()], tmp_path, resume=True)
    monkeypatch.setattr(store, "source_digest", lambda *names: "x" * (package in names))
    run([PLAN], [Source()], tmp_path, resume=True)
    assert seen == [False, False]


def test_rows_beside_something_else_are_measured_anew(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    seen = remembering(monkeypatch)
    for beside in ("a plan", "another", "a plan"):
        run([PLAN], [Source()], tmp_path, resume=True, beside=beside)
    assert seen == [False, False, True]


def test_another_run_in_the_same_folder_is_refused(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def sweep(plan: Plan, weights: Weights, ledger: Ledger) -> Iterator[Step]:
        del plan, weights, ledger
        with pytest.raises(HifiError, match="another sweep writes to"):
            run([PLAN], [Source()], tmp_path, resume=False)
        yield fake_result("torch")

    monkeypatch.setattr(running, "sweep", sweep)
    run([PLAN], [Source()], tmp_path, resume=False)
