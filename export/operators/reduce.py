"""Axes in one number."""

from collections.abc import Callable, Sequence

import onnx_ir as ir
import torch
from torch import Tensor

from export.builder import Attribute, Builder, Extent, shape_of
from export.operators.operation import Operation, Writer
from export.operators.reach_axes import reduced
from export.operators.shape import axis_in
from export.operators.shapes import each_axis


def reduce(op_type: str, input_since: int) -> Writer:
    """Some axes, or all of them, in one number."""

    def write(
        graph: Builder,
        name: str,
        x: ir.Value,
        dim: int | Sequence[int] | None = None,
        keepdim: bool = False,
    ) -> ir.Value:
        shape = shape_of(x)
        given = range(len(shape)) if dim is None else each_axis(dim, 1)
        axes = sorted(axis_in(name, axis, len(shape)) for axis in given)
        left: list[Extent] = [
            1 if i in axes else extent for i, extent in enumerate(shape) if keepdim or i not in axes
        ]
        kept: dict[str, Attribute] = {"keepdims": int(keepdim)}
        return graph.axes(name, op_type, x, axes, left, input_since=input_since, attributes=kept)

    return write


def _reduced(function: Callable[..., Tensor]) -> Callable[..., Tensor]:
    def meaning(
        x: Tensor,
        given: Tensor | None = None,
        axes: Sequence[int] | None = None,
        keepdims: int = 1,
        noop_with_empty_axes: int = 0,
    ) -> Tensor:
        found = axes if given is None else given.tolist()
        if not found and noop_with_empty_axes:
            return x
        return function(x, tuple(found or range(x.ndim)), keepdim=bool(keepdims))

    return meaning


def _length(x: Tensor, axes: tuple[int, ...], keepdim: bool) -> Tensor:
    return torch.sum(x * x, axes, keepdim=keepdim).sqrt()


OPERATIONS = (
    Operation(
        "ReduceMean",
        _reduced(torch.mean),
        "other",
        {"mean": reduce("ReduceMean", 18)},
        reach=reduced,
    ),
    Operation(
        "ReduceSum", _reduced(torch.sum), "other", {"sum": reduce("ReduceSum", 13)}, reach=reduced
    ),
    Operation("ReduceL2", _reduced(_length), reach=reduced),
    Operation(
        "ReduceMax", _reduced(torch.amax), "other", {"amax": reduce("ReduceMax", 18)}, reach=reduced
    ),
    Operation(
        "ReduceMin", _reduced(torch.amin), "other", {"amin": reduce("ReduceMin", 18)}, reach=reduced
    ),
)
