"""One spatial axis cut into tiles of M, and the tiles' elements moved in front of the channels."""

import numpy as np
import onnx_ir as ir

from export.builder import Dim, Extent, shape_of
from export.lowering.layouts import Graph
from export.operators.parts import END


def shortage(graph: Graph, name: str, length: int | Dim, size: int) -> int | Dim:
    """What a length lacks to a multiple of the tile size: -T mod M."""
    if isinstance(length, int):
        return -length % size
    short = graph.integer(f"{name}.neg", "Neg", [length.value])
    return graph.integer(f"{name}.short", "Mod", [short.value, graph.ints(size)])


def per(graph: Graph, name: str, length: int | Dim, size: int) -> int | Dim:
    """How many pieces of a size a length has, the last one perhaps not full: ceil(T / s)."""
    if isinstance(length, int):
        return -(-length // size)
    if size == 1:
        return length
    more = graph.integer(f"{name}.more", "Add", [length.value, graph.ints(size - 1)])
    return graph.integer(f"{name}.per", "Div", [more.value, graph.ints(size)])


def minus(graph: Graph, name: str, length: int | Dim, less: int) -> int | Dim:
    """A length without so many."""
    if isinstance(length, int):
        return length - less
    return graph.integer(name, "Add", [length.value, graph.ints(-less)]) if less else length


def pad(graph: Graph, name: str, x: ir.Value, axis: int, before: int, after: int | Dim) -> ir.Value:
    """Zeros around one axis of x; nothing at all for (0, 0)."""
    if before == 0 and after == 0:
        return x
    shape = list(shape_of(x))
    none, rest = [0] * axis, [0] * (len(shape) - axis - 1)
    pads = graph.vector(name, [*none, before, *rest, *none, after, *rest])
    old = shape[axis]
    fixed = isinstance(old, int) and isinstance(after, int)
    shape[axis] = before + old + after if fixed else None  # type: ignore[operator]
    return graph.op(name, "Pad", [x, pads], shape, {"mode": "constant"})


def at_least(graph: Graph, name: str, x: ir.Value, axis: int, size: int) -> ir.Value:
    """x, followed by zeros where an axis is shorter than a size.

    Joined and not padded: runtimes fuse a ``Pad`` into the convolution behind it.
    """
    shape = list(shape_of(x))
    length, line = shape[axis], [1] * len(shape)
    if isinstance(length, int) and length >= size:
        return x
    line[axis] = size - length if isinstance(length, int) else size
    zeros = graph.weight(f"{name}.zeros", np.zeros(line))
    if not isinstance(length, int):  # what the first T of so many zeros leave: none of a long input
        bounds = [graph.vector(f"{name}.start", [graph.extent(x, axis)]), graph.ints(size)]
        left: list[Extent] = [*line[:axis], None, *line[axis + 1 :]]
        zeros = graph.op(f"{name}.left", "Slice", [zeros, *bounds, graph.ints(axis)], left)
    extents = [1 if i == axis else graph.extent(x, i) for i in range(len(shape))]
    block = [*shape[:axis], shape_of(zeros)[axis], *shape[axis + 1 :]]
    sizes = graph.vector(f"{name}.sizes", extents)
    filled = graph.op(f"{name}.block", "Expand", [zeros, sizes], block)
    shape[axis] = size if isinstance(length, int) else None
    return graph.op(name, "Concat", [x, filled], shape, {"axis": axis})


def cut(graph: Graph, name: str, x: ir.Value, axis: int, size: int) -> ir.Value:
    """(N, C, ..., M L, ...) -> (N, M, C, ..., L, ...)."""
    shape = list(shape_of(x))
    length = shape[axis]
    tiles = length // size if isinstance(length, int) else None
    cut_shape = (*shape[:axis], tiles, size, *shape[axis + 1 :])
    z = graph.reshape(f"{name}.tiles", x, cut_shape)
    order = [0, axis + 1, *range(1, axis + 1), *range(axis + 2, len(shape) + 1)]
    return graph.transpose(f"{name}.phases", z, order)


def crop(graph: Graph, name: str, x: ir.Value, axis: int, length: int | Dim) -> ir.Value:
    """The first elements of an axis; x itself where those are all."""
    shape = list(shape_of(x))
    if shape[axis] == length:
        return x
    shape[axis] = length if isinstance(length, int) else None
    bounds = [graph.ints(0), graph.vector(f"{name}.end", [length]), graph.ints(axis)]
    return graph.op(name, "Slice", [x, *bounds], shape)


def without_ends(
    graph: Graph, name: str, x: ir.Value, axis: int, before: int, after: int
) -> ir.Value:
    """Without so many elements at each end of an axis; x itself where that is none."""
    if before == after == 0:
        return x
    shape = list(shape_of(x))
    length = shape[axis]
    shape[axis] = length - before - after if isinstance(length, int) else None
    ends = [graph.ints(before), graph.ints(-after if after else END), graph.ints(axis)]
    return graph.op(name, "Slice", [x, *ends], shape)


def merge_channels(graph: Graph, name: str, x: ir.Value) -> ir.Value:
    """(N, M, C, ...) -> (N, M C, ...)."""
    n, size, c, *rest = shape_of(x)
    assert isinstance(size, int) and isinstance(c, int)
    return graph.reshape(name, x, (n, size * c, *rest))
