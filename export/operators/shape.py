"""The same numbers in another shape."""

from collections.abc import Sequence
from math import prod

import onnx_ir as ir
from torch import Tensor

from export.builder import Builder, Dim, Extent, shape_of
from export.operators.operation import Operation, Writer
from export.operators.reach_axes import reshaped
from export.operators.shapes import rest_of, stated
from export.operators.vector import Lengths
from hifigan_ref.errors import HifiError

Sizes = int | Dim | Sequence[int | Dim]


def in_one(sizes: tuple[Sizes, ...]) -> list[int | Dim]:
    """``view(2, 3)`` and ``view((2, 3))`` say the same."""
    first = sizes[0]
    given = sizes if isinstance(first, int | Dim) else first
    return list(given)  # type: ignore[arg-type]


def axis_in(name: str, axis: int, rank: int) -> int:
    """An axis counted from the front.

    Raises:
        HifiError: there is none.
    """
    if not -rank <= axis < rank:
        raise HifiError(f"{name}: axis {axis} of a tensor that has {rank}: choose another")
    return axis % rank


def reshape(graph: Builder, name: str, x: ir.Value, *sizes: Sizes, shape: Sizes = ()) -> ir.Value:
    """To a shape of which one size may be -1; a size that stays where it is is 0 in the graph."""
    wanted = in_one(sizes or (shape,))
    old = shape_of(x)
    kept = [_stays(graph, x, i, size) for i, size in enumerate(wanted)]
    entries = [0 if stays else size for stays, size in zip(kept, wanted, strict=True)]
    new = [old[i] if stays else stated(wanted[i]) for i, stays in enumerate(kept)]
    return _write(graph, name, x, entries, new)


def _write(
    graph: Builder, name: str, x: ir.Value, entries: list[int | Dim], new: list[Extent]
) -> ir.Value:
    """``Reshape`` to these entries, which make this shape; in both, -1 is what the others leave."""
    old = shape_of(x)
    dynamic = [i for i, entry in enumerate(entries) if isinstance(entry, Dim)]
    if len(dynamic) == 1 and -1 not in entries:
        entries[dynamic[0]] = -1
    if -1 in new:
        place = new.index(-1)
        new[place] = rest_of(old, [*new[:place], *new[place + 1 :]])
    if tuple(new) == old and None not in new:
        return x
    return graph.op(name, "Reshape", [x, graph.vector(name, entries)], new)


def _between(
    graph: Builder, name: str, x: ir.Value, first: int, last: int, sizes: Sequence[int | Dim]
) -> ir.Value:
    """Other sizes in the place of the axes from first to last."""
    old = shape_of(x)
    behind = [graph.extent(x, i) for i in range(last + 1, len(old))]
    new = [*old[:first], *map(stated, sizes), *old[last + 1 :]]
    return _write(graph, name, x, [*[0] * first, *sizes, *behind], new)


def _stays(graph: Builder, x: ir.Value, place: int, size: int | Dim) -> bool:
    """Whether a size is known to be the length of the same axis of x."""
    old = shape_of(x)
    if not isinstance(size, Dim) or place >= len(old) or isinstance(old[place], int):
        return False
    if size.axis is not None:
        return old[place] == size.axis
    here = graph.extent(x, place)
    return isinstance(here, Dim) and here.value is size.value


def view_as(graph: Builder, name: str, x: ir.Value, other: ir.Value) -> ir.Value:
    """In the shape of another tensor."""
    return reshape(graph, name, x, [graph.extent(other, i) for i in range(len(shape_of(other)))])


def unflatten(
    graph: Builder, name: str, x: ir.Value, dim: int, sizes: Sequence[int | Dim]
) -> ir.Value:
    """(..., L, ...) -> (..., L / p, p, ...) for sizes (-1, p)."""
    axis = axis_in(name, dim, len(shape_of(x)))
    return _between(graph, name, x, axis, axis, sizes)


def flatten(
    graph: Builder, name: str, x: ir.Value, start_dim: int = 0, end_dim: int = -1
) -> ir.Value:
    """(N, ...) -> (N, L)."""
    rank = len(shape_of(x))
    first, last = (axis_in(name, axis, rank) for axis in (start_dim, end_dim))
    return x if first == last else _between(graph, name, x, first, last, [-1])


def squeeze(
    graph: Builder, name: str, x: ir.Value, dim: int | Sequence[int] | None = None
) -> ir.Value:
    """Without axes of length 1."""
    shape = shape_of(x)
    given = range(len(shape)) if dim is None else (dim,) if isinstance(dim, int) else dim
    axes = sorted({axis_in(name, axis, len(shape)) for axis in given})
    if any(not isinstance(shape[axis], int) for axis in axes):
        raise HifiError(
            f"{name}: whether an axis of dynamic length is squeezed depends on the length: name "
            "the axis that is always 1, as squeeze(1)"
        )
    ones = [axis for axis in axes if shape[axis] == 1]
    left = [extent for i, extent in enumerate(shape) if i not in ones]
    return graph.axes(name, "Squeeze", x, ones, left, input_since=13) if ones else x


def unsqueeze(graph: Builder, name: str, x: ir.Value, dim: int) -> ir.Value:
    """With one axis of length 1 more."""
    shape = list(shape_of(x))
    axis = axis_in(name, dim, len(shape) + 1)
    more = [*shape[:axis], 1, *shape[axis:]]
    return graph.axes(name, "Unsqueeze", x, [axis], more, input_since=13)


def _reshape(x: Tensor, sizes: Lengths, allowzero: int = 0) -> Tensor:
    copied = [
        x.shape[i] if isinstance(size, int) and size == 0 and not allowzero else size
        for i, size in enumerate(sizes.tolist())
    ]
    return x.reshape(copied)


def _flatten(x: Tensor, axis: int = 1) -> Tensor:
    return x.reshape(prod(x.shape[:axis]), -1)


def _axes(given: Lengths | None, stated: Sequence[int] | None, rank: int) -> list[int] | None:
    found = stated if given is None else given.tolist()
    return None if found is None else [int(axis) % rank for axis in found]


def _squeeze(x: Tensor, given: Lengths | None = None, axes: Sequence[int] | None = None) -> Tensor:
    found = _axes(given, axes, x.ndim)
    return x.squeeze() if found is None else x.squeeze(tuple(found))


def _unsqueeze(
    x: Tensor, given: Lengths | None = None, axes: Sequence[int] | None = None
) -> Tensor:
    stated_axes = axes if given is None else given.tolist()
    assert stated_axes is not None
    for axis in _axes(None, sorted(a % (x.ndim + len(stated_axes)) for a in stated_axes), 99) or []:
        x = x.unsqueeze(axis)
    return x


RESHAPED: dict[str, Writer] = {
    "view": reshape,
    "reshape": reshape,
    "view_as": view_as,
    "reshape_as": view_as,
}
OPERATIONS = (
    Operation(
        "Reshape",
        _reshape,
        "free",
        {**RESHAPED, "unflatten": unflatten, "flatten": flatten},
        reach=reshaped,
    ),
    Operation("Flatten", _flatten, "free", reach=reshaped),
    Operation("Squeeze", _squeeze, "free", {"squeeze": squeeze}, reach=reshaped),
    Operation("Unsqueeze", _unsqueeze, "free", {"unsqueeze": unsqueeze}, reach=reshaped),
)
