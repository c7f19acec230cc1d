"""How far from float64 the worst output may be, by what was asked to compute it."""

from collections.abc import Iterable, Mapping
from typing import Literal, get_args

from hifigan_ref.errors import HifiError

GraphPrecision = Literal["fp32", "fp16", "bf16", "int8"]
"""What a graph can say itself."""

Precision = Literal["fp32", "tf32", "fp16", "bf16", "int8"]
"""What a runtime can be asked for."""

GRAPH_PRECISIONS: tuple[GraphPrecision, ...] = get_args(GraphPrecision)

# SNR on the worst output, dB
BUDGETS_DB: Mapping[Precision, float] = {
    "fp32": 100.0,
    "tf32": 55.0,
    "fp16": 50.0,
    "bf16": 38.0,
    "int8": 20.0,
}

MIN_WRONG_DB = 3.0  # below, a graph is wrong and not merely coarse


def budget_of(precisions: Iterable[Precision]) -> float:
    """That of the coarsest, dB; of float32 where there is none."""
    return min((BUDGETS_DB[each] for each in precisions), default=BUDGETS_DB["fp32"])


class NotExactError(HifiError):
    """A right graph whose worst output is below the SNR that was asked for."""
