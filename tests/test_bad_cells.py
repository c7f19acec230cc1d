"""The promises of a sweep, kept with real processes: one bad cell costs one row, and so on."""

import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from bench.cell.group import Partial
from bench.cell.job import Job
from bench.cell.lane import Apart, Lane
from bench.cell.ledger import Ledger
from bench.records import Measurement, Report, Result, Skipped
from bench.stopping import Limits
from bench.suite import Plan, sweep
from fakes import Here
from hifigan_ref import audio
from hifigan_ref.source import Source
from hifigan_ref.trained import Trained
from hifigan_ref.variant import Variant

PLAN = Plan(
    backends=("ort-cpu",),
    variants=(Variant("mpd", "11"),),
    batches=tuple(range(1, 11)),
    sizes={"samples": 256},
    views=("scores",),
    threads=1,
    recording=audio.clip(),
    limits=Limits(0.05, 0.05, 0.05),
    rounds=1,
    timeout=60,
)
START = "import os, signal, sys, time; from bench.cell import worker, runner\n"
BAD = {
    2: START + "runner.Runner.sample = lambda *_: os.kill(os.getpid(), signal.SIGKILL)\n",
    5: START + "runner.Runner.prepare = lambda *_: time.sleep(600)\n",
    8: START + "def fail(*_): raise ValueError('no kernel')\nrunner.Runner.finish = fail\n",
}
REASONS = {
    2: "its process was ended by SIGKILL (out of memory?) in sample: it said nothing",
    5: "timed out after 5 s in prepare: it said nothing",
    8: "failed: ValueError: no kernel",
}


def opened(
    bad: dict[int, str], seen: list[int], here: frozenset[int] = frozenset()
) -> Callable[..., Lane]:
    """Processes, of which those of some batches go wrong; a process takes seconds to start.

    Args:
        bad: what goes wrong, by batch.
        seen: takes the batches as they are opened.
        here: batches that run in this process.
    """

    def open_lane(job: Job, build: Callable[[], Trained], timeout: float) -> Lane:
        batch = job.workload.batch
        seen.append(batch)
        if batch in here:
            return Here(job, build, timeout)
        if batch not in bad:
            return Apart(job, build, timeout)
        command = (sys.executable, "-c", bad[batch] + "worker.main()")
        return Apart(job, build, 5 if batch == 5 else timeout, command)

    return open_lane


def rows(ledger: Ledger, open_lane: Callable[..., Lane]) -> dict[int, Result]:
    found = (
        step.result if isinstance(step, Partial) else step
        for step in sweep(PLAN, Source(), ledger, open_lane)
    )
    return {step.workload.batch: step for step in found if isinstance(step, Result)}


@pytest.mark.timeout(600)
def test_a_bad_cell_costs_one_row_and_a_resumed_sweep_runs_what_is_missing(tmp_path: Path) -> None:
    path = tmp_path / "ledger.jsonl"
    processes = {*BAD, 3}  # one of them goes well, right after one that was killed
    first = rows(Ledger(path), opened(BAD, [], frozenset(PLAN.batches) - processes))
    assert list(first) == list(PLAN.batches)
    for batch, row in first.items():
        if batch in BAD:
            assert row.measurement == Skipped(REASONS[batch])
        else:
            assert isinstance(row.measurement, Measurement), row.measurement
    ledger = Ledger(path)
    assert ledger.resume() == 8, "what died is not finished; what failed for a reason is"
    seen: list[int] = []
    second = rows(ledger, opened({}, seen))
    assert seen == [2, 5]
    assert isinstance(second[2].measurement, Measurement)
    assert isinstance(second[5].measurement, Measurement)
    assert second[8] == first[8]
    for batch in set(PLAN.batches) - set(BAD):
        assert second[batch] == first[batch]


@pytest.mark.timeout(600)
def test_a_slower_backend_is_found_by_compare(tmp_path: Path) -> None:
    """A sleep in every pass of one run, in a process of its own; two runs as they are."""
    from bench.compare.verdicts import compare
    from fakes import fake_report

    plan = replace(PLAN, batches=(1,), rounds=5, limits=Limits(0.3, 1.0, 1.5))
    slow = START + (
        "from bench.backends import ort_session\n"
        "run = ort_session.OrtSession.run\n"
        "def late(self):\n"
        "    start = time.perf_counter(); run(self); took = time.perf_counter() - start\n"
        "    time.sleep(0.5 * took)\n"
        "ort_session.OrtSession.run = late\n"
    )
    reports: list[Report] = []
    for bad in ({}, {}, {1: slow}):
        ledger = Ledger(tmp_path / f"{len(reports)}.jsonl")
        steps = sweep(plan, Source(), ledger, opened(bad, [], frozenset({1} - {*bad})))
        found = [step for step in steps if isinstance(step, Result)]
        reports.append(fake_report(*found))
    same = compare(reports[0], reports[1], 0.3)
    assert {cell.verdict for cell in same.cells} <= {"SAME", "AMBIGUOUS"}
    slower = compare(reports[0], reports[2], 0.02)
    assert [cell.verdict for cell in slower.cells] == ["SLOWER"]
    assert slower.regressions
