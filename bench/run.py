"""Plans from the first ceiling to the report: one ledger, one machine, one record."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from bench.cell.ledger import NAME, Ledger, alone_in
from bench.live import watch
from bench.machine.conditions import conditions
from bench.machine.roofline import NO_GPU, highest, measure_ceilings, measure_gpu_ceilings
from bench.machine.survey import this_machine
from bench.records import SCHEMA, Report, Result
from bench.suite import Plan, in_order, sweep
from export import store
from hifigan_ref.source import Weights
from hifigan_ref.version import VERSION

INTERRUPTED = "interrupted: rows are missing or unfinished; --resume goes on"


@dataclass(frozen=True)
class Finished:
    """A run that came to its end, or to Ctrl-C.

    Attributes:
        report: what there is.
        interrupted: whether rows are missing.
    """

    report: Report
    interrupted: bool


def run(
    plans: Sequence[Plan],
    weights: Sequence[Weights],
    out: Path,
    resume: bool,
    beside: object = None,
) -> Finished:
    """Measure every cell of every plan that the ledger in a folder does not hold.

    A row that another machine, version or code measured is not held: it would stand under this
    machine's name.

    Args:
        plans: what to measure.
        weights: of each plan.
        out: folder of the ledger.
        resume: keep what an earlier run finished.
        beside: what else all rows depend on, being measured together.

    Raises:
        HifiError: another run writes there, or weights, exports or inputs are refused.
    """
    with alone_in(out):
        machine = this_machine()
        ledger = Ledger(out / NAME, store.key_of(conditions(machine), beside))
        if resume:
            ledger.resume()
        else:
            ledger.clear()
        threads = max(plan.threads for plan in plans)
        before, of_gpu = measure_ceilings(threads), measure_gpu_ceilings()
        results: list[Result] = []
        interrupted = False
        for plan, source in zip(plans, weights, strict=True):
            watched = watch(sweep(plan, source, ledger), plan.cells)
            results += in_order(plan, watched.results)
            if watched.interrupted:
                interrupted = True
                break
        # a machine that was busy at the start would make every row look fast
        ceilings = tuple(map(highest, before, measure_ceilings(threads)))
    notes = dict.fromkeys(plan.recording.note for plan in plans if plan.recording.note)
    report = Report(
        schema=SCHEMA,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        tool=f"hifi-export {VERSION}",
        machine=machine,
        ceiling=ceilings[0],
        sample_rate=plans[0].recording.rate,
        notes=(*notes, *((INTERRUPTED,) if interrupted else ())),
        results=tuple(results),
        gpu_ceiling=of_gpu[0] if of_gpu else NO_GPU,
        ceilings=ceilings + of_gpu,
    )
    return Finished(report, interrupted)
