"""What goes into each call, and where its outputs lie in those of the whole signal."""

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from bench.player import Pace
from bench.stream.whole_signal import Arrays
from export.stream_record import PAST, REMAINING


@dataclass(frozen=True)
class Feed:
    """The inputs of a file's calls, one behind the other.

    Attributes:
        arrays: inputs of the whole signal, with zeros outside of it; as many items as there are.
        axes: of time in those that have it.
        pace: of the calls.
        left: elements in front of its chunk that a call takes.
        ends: whether the file asks for ``past``, and for ``remaining``.
    """

    arrays: Arrays
    axes: Mapping[str, int]
    pace: Pace
    left: int
    ends: tuple[str, ...]

    def part(self, call: int) -> Arrays:
        """What a call takes."""
        first = call * self.pace.chunk
        size = self.left + self.pace.chunk + self.pace.ahead
        found = {name: self._cut(name, first, size) for name in self.arrays}
        items = len(next(iter(self.arrays.values())))
        places = {PAST: first, REMAINING: self.pace.length - first}
        return found | {name: np.full(items, places[name]) for name in self.ends}

    def _cut(self, name: str, first: int, size: int) -> NDArray[np.generic]:
        array, axis = self.arrays[name], self.axes.get(name)
        if axis is None:
            return array
        bounds = (slice(None),) * axis + (slice(first, first + size),)
        return np.ascontiguousarray(array[bounds])


def feed_of(
    inputs: Arrays,
    axes: Mapping[str, int],
    pace: Pace,
    left: int,
    ends: tuple[str, ...],
    items: int = 1,
) -> Feed:
    """The feed of a signal.

    Args:
        inputs: of one item.
        axes: of time in those that have it.
        pace: of the calls.
        left: elements in front of its chunk that a call takes.
        ends: names of the inputs that say where the signal ends.
        items: that are alike.
    """
    behind = pace.calls * pace.chunk - pace.length + pace.ahead
    wide: dict[str, NDArray[np.generic]] = {}
    for name, array in inputs.items():
        around = [(0, 0)] * array.ndim
        if name in axes:
            around[axes[name]] = (left, behind)
        wide[name] = np.repeat(np.pad(array, around), items, 0)
    return Feed(wide, axes, pace, left, ends)


def worst_db(
    whole: NDArray[np.floating],
    found: NDArray[np.floating],
    axis: int,
    chunk: int,
) -> float:
    """SNR of the worst chunk: the whole's power over the chunk's mean square error, dB.

    Args:
        whole: an output in float64.
        found: as much of it as was computed, or more.
        axis: of time in both.
        chunk: elements of it.
    """
    length = min(whole.shape[axis], found.shape[axis])
    error = found.take(range(length), axis).astype(np.float64) - whole.take(range(length), axis)
    others = tuple(each for each in range(error.ndim) if each != axis)
    noise = np.square(error).mean(axis=others)
    worst = max(float(noise[begin : begin + chunk].mean()) for begin in range(0, length, chunk))
    power = float(np.square(whole).mean())
    if not np.isfinite(worst) or not power:
        return -np.inf
    return np.inf if not worst else float(10 * np.log10(power / worst))


def elements(rate: Fraction, count: int) -> int:
    """Of an output for so many of the inputs, which are a multiple of what it repeats after."""
    found = rate * count
    assert found.denominator == 1, (rate, count)
    return int(found)
