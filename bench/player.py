"""When chunks of a signal are there, and when a player needs them: inputs come in real time."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import ceil, floor


@dataclass(frozen=True)
class Pace:
    """How calls and what they give lie in time, in elements of the inputs' time.

    Attributes:
        chunk: that a call adds.
        ahead: behind its chunk that must be there before it can begin.
        delay: by which what comes out follows what went in.
        length: of the signal.
    """

    chunk: int
    ahead: int
    delay: float
    length: int

    @property
    def calls(self) -> int:
        """Until all is out."""
        return ceil((self.length + self.delay) / self.chunk)

    @property
    def first(self) -> int:
        """The call, from 0, of which the first output comes."""
        return floor(self.delay / self.chunk)

    @property
    def wait(self) -> int:
        """Elements that must be there before that call can begin."""
        return self.there(self.first)

    def there(self, call: int) -> int:
        """Elements that must be there before a call can begin; the signal's end is seen."""
        return min((call + 1) * self.chunk + self.ahead, self.length)

    def out(self, call: int) -> float:
        """Elements of the signal that are out after a call."""
        return min(max((call + 1) * self.chunk - self.delay, 0.0), self.length)


def finished(pace: Pace, unit_s: float, calls: Sequence[float]) -> Iterator[float]:
    """When each call ends, in seconds from when the signal's first element began.

    A call begins when its elements are there and the one before it has ended.

    Args:
        pace: of the calls.
        unit_s: seconds of an element.
        calls: seconds of each, from the signal's beginning on.
    """
    now = 0.0
    for call, seconds in enumerate(calls):
        now = max(now, pace.there(call) * unit_s) + seconds
        yield now


def first_output(pace: Pace, unit_s: float, calls: Sequence[float]) -> float:
    """When the first output is there, in seconds from when the signal's first element began."""
    return [*finished(pace, unit_s, calls[: pace.first + 1])][-1]


def underruns(pace: Pace, unit_s: float, calls: Sequence[float]) -> tuple[int, int]:
    """How many chunks are not there when the one before them has been played, and of how many.

    The player begins late enough that each call may take as long as its chunk lasts: when the
    elements of two chunks, and those that outputs wait for, are there. It stops for what is not
    there and goes on when it is.
    """
    needed = (2 * pace.chunk + pace.ahead + pace.delay) * unit_s
    late = count = 0
    before = 0.0
    for call, end in enumerate(finished(pace, unit_s, calls)):
        out = pace.out(call)
        if out > before:
            late += end > needed
            count += 1
            needed = max(needed, end) + (out - before) * unit_s
            before = out
    return late, count
