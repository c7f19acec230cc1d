"""Signal, noise and what else tells two arrays apart, in one walk through both.

Feature maps of a large batch fill gigabytes in float64: they are met in blocks that stay in a
cache, and nothing of their size is made.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

BLOCK = 1 << 15  # values of each array at a time


@dataclass(frozen=True)
class Sums:
    """Over all values.

    Attributes:
        signal: of the squares of what is exact.
        noise: of the squares of the difference.
        power: of the squares of what was found.
        product: of one times the other.
        worst: largest difference.
        count: of values.
    """

    signal: float
    noise: float
    power: float
    product: float
    worst: float
    count: int

    @property
    def snr_db(self) -> float:
        """10 log10 of signal over noise, dB; inf where equal, -inf where not finite."""
        if not np.isfinite(self.noise):
            return -np.inf
        if self.noise == 0:
            return np.inf
        return float(10 * np.log10(self.signal / self.noise)) if self.signal else -np.inf

    @property
    def cosine(self) -> float:
        """Of the angle between them, 0 where one is zero."""
        length = float(np.sqrt(self.signal) * np.sqrt(self.power))
        return self.product / length if length else 0.0

    @property
    def max_relative(self) -> float:
        """The largest difference over the root mean square of what is exact."""
        if self.signal:
            return self.worst / float(np.sqrt(self.signal / self.count))
        return np.inf if self.worst else 0.0


def short_of(found_db: float, budget_db: float) -> str:
    """A ratio that misses a budget, in as many digits as show that it does."""
    for digits in (1, 2, 3):
        told = f"{found_db:.{digits}f}"
        if not float(told) >= budget_db:
            return told
    return f"a little less than {budget_db:g}"


def sums_of(exact: NDArray[np.floating], found: NDArray[np.floating]) -> Sums:
    """Of two arrays of one shape.

    Args:
        exact: float64.
        found: of any type.
    """
    flat, other = exact.reshape(-1), found.reshape(-1)
    totals, worst = np.zeros(4), 0.0
    for start in range(0, flat.size, BLOCK):
        e = flat[start : start + BLOCK].astype(np.float64, copy=False)
        v = other[start : start + BLOCK].astype(np.float64)
        with np.errstate(invalid="ignore"):  # inf - inf
            d = v - e
            totals += (np.vdot(e, e), np.vdot(d, d), np.vdot(v, v), np.vdot(v, e))
            worst = float(np.maximum(worst, np.abs(d).max()))
    signal, noise, power, product = map(float, totals)
    return Sums(signal, noise, power, product, worst, flat.size)


def ratio_db(
    expected: NDArray[np.floating], found: NDArray[np.floating] | None, level: float = 0.0
) -> float:
    """SNR of an output, dB; -inf where it is missing or of another shape.

    Args:
        expected: of it.
        found: instead.
        level: mean square that the signal counts for at least.
    """
    if found is None or found.shape != expected.shape:
        return -np.inf
    sums = sums_of(expected, found)
    return replace(sums, signal=max(sums.signal, level * sums.count)).snr_db


def power_of(array: NDArray[np.floating]) -> float:
    """Its mean square."""
    return float(np.square(array, dtype=np.float64).mean())
