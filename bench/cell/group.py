"""The cells of one workload, side by side: prepared in turn, then sampled in rounds at random.

Drift of the machine then hits all of them alike. One works at a time; the others wait.
"""

import random
from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

from bench.cell import rows
from bench.cell.job import Command, Failed, Finished, Job, Prepared, Sampled, WarmedUp
from bench.cell.lane import Lane
from bench.cell.turn import turn
from bench.machine.busy import Meter
from bench.records import Result
from bench.stopping import Limits, is_settled

Answer = TypeVar("Answer", Prepared, WarmedUp, Sampled, Finished)


@dataclass(frozen=True)
class Phase:
    """What is being done now, for whoever watches."""

    label: str


@dataclass(frozen=True)
class Partial:
    """A row that is not finished: interrupted, or its process died."""

    result: Result


Step = Phase | Partial | Result


@dataclass
class Cell:
    """A cell on its way.

    Attributes:
        job: what it runs.
        lane: where, while it is open.
        prepared: once it is.
        warmed: once it is.
        rounds: what was sampled, by round.
        failure: why it ended early.
        meter: what other processes take while it is timed.
    """

    job: Job
    lane: Lane | None = None
    prepared: Prepared | None = None
    warmed: WarmedUp | None = None
    rounds: rows.Rounds = field(default_factory=list)
    failure: Failed | None = None
    meter: Meter = field(init=False)

    def __post_init__(self) -> None:
        self.meter = Meter(self.job.workload.threads)

    @property
    def seconds(self) -> tuple[float, ...]:
        """Of every call."""
        return tuple(second for taken in self.rounds for second in taken.seconds)

    @property
    def alive(self) -> bool:
        """Whether it may be asked more."""
        return self.lane is not None and self.failure is None

    def ask(self, command: Command, kind: type[Answer]) -> Answer | None:
        """An answer of that kind, or None where the cell ended instead."""
        assert self.lane is not None
        with turn(), nullcontext() if command.name == "prepare" else self.meter.running():
            reply: Any = self.lane.ask(command)
        if isinstance(reply, Failed):
            self.failure = reply
            return None
        assert isinstance(reply, kind), reply
        return reply

    def close(self) -> None:
        """End its process, if it has one."""
        if self.lane is not None:
            self.lane.close()
            self.lane = None


def measure_group(
    jobs: Sequence[Job], open_lane: Callable[[Job], Lane], rounds: int, shuffle: random.Random
) -> Iterator[Step]:
    """A row for every job; those that end early come first.

    Args:
        jobs: of one workload.
        open_lane: starts a cell's process.
        rounds: in which the cells take turns, at least.
        shuffle: draws the order within each round.

    Raises:
        KeyboardInterrupt: after the unfinished rows were told.
    """
    cells = [Cell(job) for job in jobs]
    try:
        for cell in cells:
            yield Phase(f"{_name(cell)}: prepare and warm up")
            ended = _prepare(cell, open_lane)
            if ended is not None:
                cell.close()
                yield ended
        live = [cell for cell in cells if cell.alive]
        yield from _sample(live, rounds, shuffle)
        for cell in live:
            yield Phase(f"{_name(cell)}: the other clocks")
            yield _finish(cell)
            cell.close()
    except KeyboardInterrupt:
        yield from (Partial(row) for cell in cells if (row := _unfinished(cell)) is not None)
        raise
    finally:
        for cell in cells:
            cell.close()


def _prepare(cell: Cell, open_lane: Callable[[Job], Lane]) -> Result | Partial | None:
    """Start, prepare and warm up; its row if it ends here."""
    cell.lane = open_lane(cell.job)
    cell.prepared = cell.ask(Command("prepare"), Prepared)
    if cell.prepared is not None:
        ended = rows.refused(cell.job, cell.prepared)
        if ended is not None:
            return ended
        cell.warmed = cell.ask(Command("warm_up"), WarmedUp)
    return None if cell.failure is None else _failed(cell.job, cell.failure)


def _sample(cells: list[Cell], rounds: int, shuffle: random.Random) -> Iterator[Phase]:
    """Rounds until each cell has its least time and is settled, or has its most."""
    number = 0
    while True:
        number += 1
        due = [cell for cell in cells if cell.alive and _wants_more(cell, number, rounds)]
        if not due:
            return
        shuffle.shuffle(due)
        for cell in due:
            yield Phase(f"{_name(cell)}: round {number} of {max(number, rounds)}")
            command = Command("sample", cell.job.limits.least / rounds)
            sampled = cell.ask(command, Sampled)
            if sampled is not None:
                cell.rounds.append(sampled)


def _wants_more(cell: Cell, number: int, rounds: int) -> bool:
    limits: Limits = cell.job.limits
    if number <= rounds:
        return True
    return sum(cell.seconds) < limits.most and not is_settled(cell.seconds)


def _finish(cell: Cell) -> Result | Partial:
    if cell.failure is None:
        finished = cell.ask(Command("finish"), Finished)
        if finished is not None:
            assert cell.prepared is not None and cell.warmed is not None
            row = rows.complete(cell.job, cell.prepared, cell.warmed, cell.rounds, finished)
            return replace(row, others=cell.meter.found())
    assert cell.failure is not None
    return _failed(cell.job, cell.failure)


def _failed(job: Job, failure: Failed) -> Result | Partial:
    row = rows.failed(job, failure)
    return Partial(row) if failure.died else row


def _unfinished(cell: Cell) -> Result | None:
    if not cell.alive or cell.prepared is None or cell.warmed is None or not cell.rounds:
        return None
    row = rows.partial(cell.job, cell.prepared, cell.warmed, cell.rounds)
    return replace(row, others=cell.meter.found())


def _name(cell: Cell) -> str:
    return f"{cell.job.workload.variant} x {cell.job.workload.batch} on {cell.job.backend}"
