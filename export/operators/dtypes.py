"""Types of numbers: what is rounded to fewer bits, and constants that stand among the nodes."""

from typing import Any

import onnx_ir as ir
import torch
from torch import Tensor

from export.operators.operation import Operation
from export.operators.reach import over


def exact(array: Any) -> Tensor:
    """Numbers of a graph as it is evaluated: real ones in float64, lengths in int64."""
    kept = array.dtype.kind == "b" or array.dtype.name in {"int8", "uint8"}
    kind = "int64" if array.dtype.kind in "iu" else "float64"
    return torch.from_numpy(array.copy() if kept else array.astype(kind))


def _cast(x: Tensor, to: int, **_: Any) -> Tensor:
    """Nothing is rounded between types of real numbers: what is asked for is the exact value."""
    kind = ir.DataType(to)
    if kind == ir.DataType.BOOL:
        return x.bool()
    if kind.is_floating_point():
        return x if x.is_floating_point() else x.double()
    return x.long()


def _constant(**attributes: Any) -> Tensor:
    (value,) = attributes.values()
    return exact(value.numpy()) if hasattr(value, "numpy") else torch.tensor(value)


def _along(x: Tensor, each: Tensor, axis: int) -> Tensor:
    """A scale or a zero for each channel, in the rank of x."""
    line = [-1 if i == axis % x.ndim else 1 for i in range(x.ndim)]
    return each.double().reshape(() if each.numel() == 1 else line)


def _quantize(x: Tensor, scale: Tensor, zero: Tensor | None = None, axis: int = 1) -> Tensor:
    middle = torch.zeros((), dtype=torch.uint8) if zero is None else zero
    steps = torch.round(x / _along(x, scale, axis)) + _along(x, middle, axis)
    bounds = torch.iinfo(middle.dtype)
    return steps.clamp(bounds.min, bounds.max).to(middle.dtype)


def _dequantize(x: Tensor, scale: Tensor, zero: Tensor | None = None, axis: int = 1) -> Tensor:
    middle = torch.zeros(()) if zero is None else zero
    return (x.double() - _along(x, middle, axis)) * _along(x, scale, axis)


OPERATIONS = (
    Operation("Cast", _cast, reach=over(lambda _: ())),
    Operation("Constant", _constant, "free"),
    Operation("DequantizeLinear", _dequantize, reach=over(lambda _: ())),
    Operation("QuantizeLinear", _quantize, reach=over(lambda _: ())),
)
