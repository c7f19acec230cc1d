"""What each precision is, and how far from float64 the worst output may be in it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, get_args

from hifigan_ref.errors import HifiError

if TYPE_CHECKING:
    import torch

GraphPrecision = Literal["fp32", "fp16", "bf16", "int8"]
"""What a graph can say itself."""

Precision = Literal["fp32", "tf32", "fp16", "bf16", "int8"]
"""What a runtime can be asked for."""

GRAPH_PRECISIONS: tuple[GraphPrecision, ...] = get_args(GraphPrecision)


@dataclass(frozen=True)
class Arithmetic:
    """What there is to say of a precision.

    Attributes:
        budget_db: least SNR on the worst output, dB.
        opset: the smallest that has it, or 0 where no graph can say it.
        between: ONNX's name of the type that tensors have between layers.
    """

    budget_db: float
    opset: int
    between: str = "FLOAT"

    @property
    def dtype(self) -> "torch.dtype":
        """PyTorch's of the same type."""
        import torch

        found: torch.dtype = getattr(torch, self.between.lower())
        return found


PRECISIONS: Mapping[Precision, Arithmetic] = {
    "fp32": Arithmetic(100.0, 11),
    "tf32": Arithmetic(55.0, 0),
    "fp16": Arithmetic(50.0, 11, "FLOAT16"),
    "bf16": Arithmetic(38.0, 22, "BFLOAT16"),
    "int8": Arithmetic(20.0, 13),  # between DequantizeLinear and QuantizeLinear
}

MIN_WRONG_DB = 3.0  # below, a graph is wrong and not merely coarse


def budget_of(precisions: Iterable[Precision]) -> float:
    """That of the coarsest, dB; of float32 where there is none."""
    return min(PRECISIONS[each].budget_db for each in (*precisions, "fp32"))


class NotExactError(HifiError):
    """A right graph whose worst output is below the SNR that was asked for."""
