"""Matrices of minimal filtering: M outputs of an R-tap filter from M + R - 1 products.

Toom-Cook's algorithm, transposed (Winograd, Arithmetic Complexity of Computations, 1980; in this
notation Lavin and Gray, arXiv 1509.09308): with g the taps and d the M + R - 1 inputs,
``y = A [(G g) * (B d)]``. Computed in fractions, so that nothing is rounded before the weights are.
The points are those that keep the error small in float32 (Barabasz et al., arXiv 1803.10986): small
integers and their inverses, each with both signs.
"""

from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from math import lcm

import numpy as np
from numpy.typing import NDArray

POINTS = tuple(Fraction(p) for p in ("0", "1", "-1", "1/2", "-2", "2", "-1/2", "3"))
Matrix = list[list[Fraction]]


@dataclass(frozen=True, eq=False)
class Filter:
    """M outputs at once.

    Attributes:
        outputs: A, (M, M + R - 1).
        taps: G, (M + R - 1, R).
        inputs: B, (M + R - 1, M + R - 1), of integers.
    """

    outputs: NDArray[np.float64]
    taps: NDArray[np.float64]
    inputs: NDArray[np.float64]


@cache
def minimal_filter(m: int, r: int) -> Filter:
    """The matrices for M outputs and R taps, M + R - 1 of at most ``len(POINTS) + 1``."""
    size = m + r - 1
    inverse = _inverse(_powers(size, size))
    taps = _powers(size, r)
    inputs = [[inverse[column][row] for column in range(size)] for row in range(size)]
    for row in range(size):  # denominators go where they are rounded once, to the weights
        scale = lcm(*(entry.denominator for entry in inputs[row]))
        inputs[row] = [entry * scale for entry in inputs[row]]
        taps[row] = [entry / scale for entry in taps[row]]
    outputs = _powers(size, m)
    return Filter(_floats(outputs).T.copy(), _floats(taps), _floats(inputs))


def _powers(size: int, columns: int) -> Matrix:
    """Powers of each point, the last point at infinity."""
    finite = [[point**j for j in range(columns)] for point in POINTS[: size - 1]]
    return [*finite, [Fraction(int(j == columns - 1)) for j in range(columns)]]


def _inverse(matrix: Matrix) -> Matrix:
    """By Gauss and Jordan, exactly."""
    size = len(matrix)
    rows = [[*row, *(Fraction(int(i == j)) for j in range(size))] for i, row in enumerate(matrix)]
    for i in range(size):
        pivot = next(j for j in range(i, size) if rows[j][i])
        rows[i], rows[pivot] = rows[pivot], rows[i]
        rows[i] = [entry / rows[i][i] for entry in rows[i]]
        for j in range(size):
            if j != i:
                factor = rows[j][i]
                rows[j] = [a - factor * b for a, b in zip(rows[j], rows[i], strict=True)]
    return [row[size:] for row in rows]


def _floats(matrix: Matrix) -> NDArray[np.float64]:
    return np.array([[float(entry) for entry in row] for row in matrix])
