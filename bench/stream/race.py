"""Every way in turn, round by round, until each has had its time."""

import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from time import perf_counter

import numpy as np

from bench.stopping import is_warm
from bench.stream.caller import Caller, Outputs
from bench.timing.measure import HostClock

SHARE = 0.95  # of the calls of so many streams that must keep up
MOST_CALLS = 300  # of a round, so that a record stays small


@dataclass
class Racer:
    """A caller whose calls are timed, always from a signal's beginning on.

    Attributes:
        caller: of a file.
        clock: seconds, monotonic.
        passes: seconds of each call so far.
    """

    caller: Caller
    clock: HostClock = perf_counter
    passes: list[tuple[float, ...]] = field(default_factory=list)

    def warm_up(self, most: float) -> list[Outputs]:
        """Calls until they are steady, or so many seconds have passed.

        Returns:
            Outputs of the first pass, as far as it came; at least to the first output.
        """
        pace, start = self.caller.feed.pace, self.clock()
        seconds: list[float] = []
        outputs: list[Outputs] = []
        while True:
            call = len(seconds) % pace.calls
            seconds.append(self.caller.take(call))
            if len(seconds) <= pace.calls:
                outputs.append({name: array.copy() for name, array in self.caller.found.items()})
            late = self.clock() - start >= most
            if len(seconds) > pace.first and (late or _enough(seconds, pace.calls)):
                return outputs

    def round(self, most: float) -> None:
        """Passes for so many seconds, the last one perhaps cut; at least to the first output."""
        pace = self.caller.feed.pace
        self.caller.take(0)  # finds caches cold, and does not count
        start, left = self.clock(), MOST_CALLS
        while True:
            taken: list[float] = []
            for call in range(pace.calls):
                taken.append(self.caller.take(call))
                ended = self.clock() - start >= most or len(taken) >= left
                if ended and call >= pace.first:
                    break
            self.passes.append(tuple(taken))
            left -= len(taken)
            if left <= pace.first or self.clock() - start >= most:
                return


def race(racers: Sequence[Racer], rounds: int, seconds: float, shuffle: random.Random) -> None:
    """Rounds in random order.

    Args:
        racers: that are warm.
        rounds: that each takes part in.
        seconds: of each round.
        shuffle: draws the order.
    """
    order = list(racers)
    for _ in range(rounds):
        shuffle.shuffle(order)
        for each in order:
            each.round(seconds)


def sustained(caller: Caller, lasts: float, least: int) -> bool:
    """Whether 95 % of some calls take no longer than their chunk lasts.

    Args:
        caller: of as many items as there are signals.
        lasts: seconds of a chunk.
        least: how many calls are made.
    """
    calls = caller.feed.pace.calls
    caller.take(0)
    seconds = [caller.take(call % calls) for call in range(least)]
    return keeps_up(seconds, lasts)


def keeps_up(seconds: Sequence[float], lasts: float) -> bool:
    """Whether 95 % of them are no longer than so many seconds."""
    return float(np.mean(np.asarray(seconds) <= lasts)) >= SHARE


def _enough(seconds: list[float], calls: int) -> bool:
    return len(seconds) >= calls and is_warm(seconds)
