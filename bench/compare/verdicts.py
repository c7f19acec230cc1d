"""Two reports -> a verdict for each cell, and what a guard must not pass over."""

from collections import Counter
from dataclasses import dataclass, replace
from typing import Literal

from bench.compare.ratio import LEAST_ROUNDS, Ratio, ratio_of
from bench.compare.same_machine import differences, notes, warnings
from bench.records import Clock, Measurement, Report, Result, Skipped, Workload
from bench.stopping import LEAST_SAMPLES
from hifigan_ref.errors import HifiError

THRESHOLD = 0.02

Verdict = Literal["FASTER", "SLOWER", "SAME", "AMBIGUOUS", "LOST", "NOT COMPARED"]
REGRESSIONS: tuple[Verdict, ...] = ("SLOWER", "LOST")
Key = tuple[str, Workload, int]


@dataclass(frozen=True)
class Change:
    """A cell that both reports measured.

    Attributes:
        clock: by which both are judged: a GPU's own where both have it, else the host's.
        ratio: B over A.
        threshold: change that does not matter, as a fraction.
    """

    clock: Clock
    ratio: Ratio
    threshold: float

    @property
    def verdict(self) -> Verdict:
        """Only what the whole interval says."""
        low, high = self.ratio.low, self.ratio.high
        if not self.ratio.enough:
            return "AMBIGUOUS"
        if high < 1 - self.threshold:
            return "FASTER"
        if low > 1 + self.threshold:
            return "SLOWER"
        return "SAME" if 1 - self.threshold <= low and high <= 1 + self.threshold else "AMBIGUOUS"


@dataclass(frozen=True)
class Gone:
    """A cell that A measured and B did not, which is a regression.

    Attributes:
        reason: what became of it.
    """

    reason: str


@dataclass(frozen=True)
class Cell:
    """A backend on a workload in two reports.

    Attributes:
        backend: with its options.
        workload: as in A, where A has it.
        outcome: the change, or why there is none.
        remarks: what a reader must know of its two measurements.
    """

    backend: str
    workload: Workload
    outcome: Change | Gone | Skipped
    remarks: tuple[str, ...] = ()

    @property
    def change(self) -> Change | None:
        """Where both reports measured it."""
        return self.outcome if isinstance(self.outcome, Change) else None

    @property
    def verdict(self) -> Verdict:
        """Of B against A."""
        if self.change:
            return self.change.verdict
        return "LOST" if isinstance(self.outcome, Gone) else "NOT COMPARED"


@dataclass(frozen=True)
class Comparison:
    """B against A.

    Attributes:
        threshold: change that does not matter, as a fraction.
        notes: what differs between the two runs as a whole.
        cells: in the order of A, then those that only B has.
        warnings: what must be known before any verdict.
    """

    threshold: float
    notes: tuple[str, ...]
    cells: tuple[Cell, ...]
    warnings: tuple[str, ...] = ()

    @property
    def regressions(self) -> tuple[Cell, ...]:
        """Cells that are slower or gone."""
        return tuple(cell for cell in self.cells if cell.verdict in REGRESSIONS)


def compare(
    before: Report, after: Report, threshold: float = THRESHOLD, across_machines: bool = False
) -> Comparison:
    """Judge every cell of either report.

    Args:
        before: A.
        after: B.
        threshold: change that does not matter, as a fraction.
        across_machines: compare although the machines differ.

    Raises:
        HifiError: the threshold is out of range, the machines differ, or A measured nothing.
    """
    if not 0 < threshold < 1:
        raise HifiError(f"a threshold of {100 * threshold:g} %: choose more than 0, less than 100")
    unlike = differences(before.machine, after.machine)
    if unlike and not across_machines:
        raise HifiError(
            f"the machines differ ({'; '.join(unlike)}): compare runs of one machine, or insist "
            "with --across-machines"
        )
    if all(isinstance(result.measurement, Skipped) for result in before.results):
        raise HifiError("A measured nothing that B could be compared with: give another report")
    old, new = _keyed(before), _keyed(after)
    cells = tuple(_cell(key, old.get(key), new.get(key), threshold) for key in {**old, **new})
    told = (*unlike, *notes(before.machine, after.machine), *_rounds_note(cells))
    return Comparison(threshold, told, cells, warnings(before, after))


def _keyed(report: Report) -> dict[Key, Result]:
    """Results by backend, workload and how often both were there before.

    A row that was skipped does not tell its precision, which the backend's options settle anyway.
    """
    seen: Counter[tuple[str, Workload]] = Counter()
    found = {}
    for result in report.results:
        key = (result.backend, replace(result.workload, precision="fp32"))
        found[*key, seen[key]] = result
        seen[key] += 1
    return found


def _cell(key: Key, before: Result | None, after: Result | None, threshold: float) -> Cell:
    backend, workload, _ = key
    if before is None:
        return Cell(backend, workload, Skipped("only in B"))
    cell = Cell(backend, before.workload, Skipped(""))
    if isinstance(before.measurement, Skipped):
        return replace(cell, outcome=Skipped(f"skipped in A: {before.measurement.reason}"))
    if after is None:
        return replace(cell, outcome=Gone("not in B"))
    if isinstance(after.measurement, Skipped):
        return replace(cell, outcome=Gone(f"skipped in B: {after.measurement.reason}"))
    if before.workload != after.workload:
        old, new = before.workload.precision, after.workload.precision
        return replace(cell, outcome=Gone(f"precision: {old} in A, {new} in B"))
    a, b = _by_one_clock(before, before.measurement, after, after.measurement)
    change = Change(a.clock, ratio_of(a, b), threshold)
    return replace(cell, outcome=change, remarks=_remarks(a, b, before, after))


def _by_one_clock(
    before: Result, a: Measurement, after: Result, b: Measurement
) -> tuple[Measurement, Measurement]:
    if isinstance(before.device, Measurement) and isinstance(after.device, Measurement):
        return before.device, after.device
    return a, b


def _remarks(a: Measurement, b: Measurement, before: Result, after: Result) -> tuple[str, ...]:
    told = [f"{state} in {name}" for name, each in (("A", a), ("B", b)) for state in each.states]
    fewest = min(a.count, b.count)
    if fewest < LEAST_SAMPLES:
        told.append(f"too few samples: {fewest} of {LEAST_SAMPLES}")
    old, new = before.settings, after.settings
    told += [
        f"{name}: {old.get(name, 'none')} in A, {new.get(name, 'none')} in B"
        for name in sorted({*old, *new})
        if old.get(name) != new.get(name)
    ]
    return tuple(told)


def _rounds_note(cells: tuple[Cell, ...]) -> tuple[str, ...]:
    changes = [cell.change for cell in cells if cell.change]
    if all(change.ratio.by_rounds for change in changes):
        return ()
    return (f"fewer than {LEAST_ROUNDS} rounds: drift between runs is not in every interval",)
