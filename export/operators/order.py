"""The same numbers in another order, or repeated along an axis."""

from collections.abc import Sequence

import onnx_ir as ir
from torch import Tensor

from export.builder import Builder, shape_of
from export.operators.operation import Operation, Writer
from export.operators.reach import pointwise
from export.operators.reach_axes import turned
from export.operators.shape import Sizes, axis_in, in_one
from export.operators.shapes import stated
from export.operators.vector import Lengths


def permute(graph: Builder, name: str, x: ir.Value, *dims: Sizes) -> ir.Value:
    """Axes in another order."""
    shape = shape_of(x)
    order = [axis_in(name, int(axis), len(shape)) for axis in in_one(dims)]  # type: ignore[arg-type]
    return graph.op(name, "Transpose", [x], [shape[i] for i in order], {"perm": tuple(order)})


def transpose(graph: Builder, name: str, x: ir.Value, dim0: int, dim1: int) -> ir.Value:
    """Two axes exchanged."""
    order = list(range(len(shape_of(x))))
    first, second = (axis_in(name, axis, len(order)) for axis in (dim0, dim1))
    order[first], order[second] = second, first
    return permute(graph, name, x, order)


def turn(graph: Builder, name: str, x: ir.Value) -> ir.Value:
    """The last two axes exchanged."""
    return transpose(graph, name, x, -2, -1)


def expand(graph: Builder, name: str, x: ir.Value, *sizes: Sizes) -> ir.Value:
    """Axes of length 1 repeated; -1 leaves one as it is."""
    wanted = in_one(sizes)
    old = [1] * (len(wanted) - len(shape_of(x))) + list(shape_of(x))
    entries = [1 if size == -1 else size for size in wanted]
    new = [was if size == -1 else stated(size) for was, size in zip(old, wanted, strict=True)]
    return graph.op(name, "Expand", [x, graph.vector(name, entries)], new)


def expand_as(graph: Builder, name: str, x: ir.Value, other: ir.Value) -> ir.Value:
    """To the shape of another tensor."""
    return expand(graph, name, x, [graph.extent(other, i) for i in range(len(shape_of(other)))])


def _transpose(x: Tensor, perm: Sequence[int] | None = None) -> Tensor:
    return x.permute(tuple(reversed(range(x.ndim))) if perm is None else tuple(perm))


def _expand(x: Tensor, sizes: Lengths) -> Tensor:
    wanted = sizes.tolist()
    wanted = [1] * (x.ndim - len(wanted)) + wanted
    first = len(wanted) - x.ndim
    kept = [
        -1 if i >= first and isinstance(size, int) and size == 1 else size
        for i, size in enumerate(wanted)
    ]
    return x.expand(kept)


TURNED: dict[str, Writer] = {
    "permute": permute, "transpose": transpose, "swapaxes": transpose, "t": turn,
}  # fmt: skip

OPERATIONS = (
    Operation("Transpose", _transpose, "moving", TURNED, reach=turned),
    Operation(
        "Expand", _expand, "moving", {"expand": expand, "expand_as": expand_as}, reach=pointwise
    ),
)
