"""What it costs to compute a signal chunk by chunk: frozen records with raw numbers."""

from dataclasses import dataclass
from itertools import chain
from typing import Literal

import numpy as np

from bench.hardware import Machine, Others
from bench.hole import NOT_TAKEN, Skipped
from bench.player import Pace, first_output, underruns
from bench.records import PERCENTILE_FLOORS

SCHEMA = 2  # as every record that has axes
Way = Literal["whole", "window", "context", "state"]
"""How a signal is computed.

``whole``: the usual file on all of it, once. ``window``: the usual file on each chunk and what
surrounds it, cut to the chunk afterwards. ``context``: a chunk file that takes its context.
``state``: a chunk file that takes over from the chunk before.
"""


@dataclass(frozen=True)
class Row:
    """One way with one backend.

    Attributes:
        backend: its name and options.
        way: how the signal is computed.
        pace: of its calls.
        flops: of a call, on one signal.
        unit_s: seconds of an element of the inputs' time; None where nobody says.
        passes: seconds of each call, from the signal's beginning on; a pass that would have lasted
            too long has the first of them.
        snr_db: of the worst chunk beside PyTorch in float64, dB, as far as it was computed.
        budget_db: least that is promised, dB; None of a way that promises nothing.
        streams: most signals at once, as a batch, of which 95 % of the calls took no longer than
            their chunk lasts.
    """

    backend: str
    way: Way
    pace: Pace
    flops: int
    unit_s: float | None
    passes: tuple[tuple[float, ...], ...]
    snr_db: float
    budget_db: float | None
    streams: int | Skipped = NOT_TAKEN

    @property
    def seconds(self) -> tuple[float, ...]:
        """Of every call."""
        return tuple(chain.from_iterable(self.passes))

    @property
    def median(self) -> float:
        """Seconds of a call."""
        return float(np.median(self.seconds))

    @property
    def p95(self) -> float | Skipped:
        """Seconds that 95 % of the calls did not exceed, or why there are too few for that."""
        if len(self.seconds) < PERCENTILE_FLOORS[95]:
            return Skipped(f"too few calls: {len(self.seconds)} of {PERCENTILE_FLOORS[95]}")
        return float(np.percentile(self.seconds, 95))

    @property
    def wait_s(self) -> float | None:
        """Seconds until the call that gives the first output can begin, at real time."""
        return None if self.unit_s is None else self.pace.wait * self.unit_s

    @property
    def compute_s(self) -> float:
        """Seconds of the calls until the first output is there: median of the passes."""
        return float(np.median([sum(each[: self.pace.first + 1]) for each in self.passes]))

    @property
    def first_s(self) -> float | None:
        """Seconds until the first output is there, at real time: median of the passes.

        Calls that are needed before that output were computed while the rest was awaited.
        """
        if self.unit_s is None:
            return None
        unit_s = self.unit_s
        return float(np.median([first_output(self.pace, unit_s, each) for each in self.passes]))

    @property
    def real_time_factor(self) -> float | None:
        """Seconds of work for a second of the signal, at the median."""
        return None if self.unit_s is None else self.median / (self.pace.chunk * self.unit_s)

    @property
    def underruns(self) -> float | None:
        """Share of the chunks that a player at real time has to wait for; None of a whole."""
        if self.unit_s is None or self.way == "whole":
            return None
        found = [underruns(self.pace, self.unit_s, each) for each in self.passes]
        return sum(late for late, _ in found) / sum(count for _, count in found)

    @property
    def passed(self) -> bool:
        """Whether it is as exact as promised."""
        return self.budget_db is None or self.snr_db >= self.budget_db


@dataclass(frozen=True)
class Streaming:
    """One network's signal, in every way.

    Attributes:
        schema: version of this record.
        created: when, UTC.
        tool: name and version.
        machine: what ran it.
        variant: network.
        unit: name of the inputs' axis of time.
        length: of the signal, in elements of it.
        needed: context that decides the outputs, in front and behind.
        flops_per_element: of the whole network, for each element of the inputs' time.
        threads: of a CPU runtime.
        source: of the inputs' values.
        weights: of the network.
        rows: that ran.
        missing: what did not, and why.
        others: what other processes took meanwhile.
    """

    schema: int
    created: str
    tool: str
    machine: Machine
    variant: str
    unit: str
    length: int
    needed: tuple[int, int]
    flops_per_element: float
    threads: int
    source: str
    weights: str
    rows: tuple[Row, ...]
    missing: tuple[str, ...] = ()
    others: Others | Skipped = NOT_TAKEN

    def twice(self, row: Row) -> float:
        """Work that is done more than once, as a share of what the whole network does."""
        return row.flops / (row.pace.chunk * self.flops_per_element) - 1
