"""Which range of a tensor to quantize.

A range that holds every value wastes its 256 steps on a few: the range with the least square error
cuts them off. For n values, of which those between a and b are rounded in steps of q,

    error = sum over x < a of (a - x)^2 + sum over x > b of (x - b)^2 + n_inside q^2 / 12

(Bennett's q^2 / 12 for the rounding), which sorted values with running sums give at once.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from export.targets import Activations

FRACTIONS = np.geomspace(1, 0.01, 150)  # of the largest value
LIMITS = {"uint8": (0, 255), "int8": (-127, 127)}
TINY = 1e-12

Floats = NDArray[np.floating]


@dataclass(frozen=True)
class Range:
    """Ends of what is quantized; 0 is within.

    Attributes:
        low: smallest value.
        high: largest value.
        activations: type of the integers.
    """

    low: float
    high: float
    activations: Activations

    def rounded(self, values: Floats) -> Floats:
        """What is left of values: to an integer and back."""
        least, most = LIMITS[self.activations]
        step = (self.high - self.low) / (most - least)
        zero = 0 if self.activations == "int8" else round(-self.low / step)
        steps: Floats = np.clip(np.round(values / step) + zero, least, most) - zero
        return steps * step


def best_range(values: Floats, activations: Activations) -> Range:
    """The range with the least square error of all that keep 0."""
    x = np.sort(values.astype(np.float64), axis=None)
    low, high = _candidates(x, activations)
    sums = np.concatenate([[0.0], np.cumsum(x)])
    squares = np.concatenate([[0.0], np.cumsum(np.square(x))])
    i, j = np.searchsorted(x, low), np.searchsorted(x, high)
    below = squares[i] - 2 * low * sums[i] + np.square(low) * i
    above = squares[-1] - squares[j] - 2 * high * (sums[-1] - sums[j])
    above += np.square(high) * (x.size - j)
    least, most = LIMITS[activations]
    rounding = (j - i) * np.square((high - low) / (most - least)) / 12
    best = int((below + above + rounding).argmin())
    return Range(float(low[best]), float(high[best]), activations)


def _candidates(x: Floats, activations: Activations) -> tuple[Floats, Floats]:
    """Ends that are tried, smallest value first in x."""
    if activations == "int8":
        high = max(-x[0], x[-1], TINY) * FRACTIONS
        return -high, high
    lows, highs = min(x[0], 0.0) * FRACTIONS, max(x[-1], TINY) * FRACTIONS
    low, high = np.meshgrid(lows, highs)
    return low.ravel(), high.ravel()
