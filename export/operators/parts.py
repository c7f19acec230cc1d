"""Tensors joined and cut along an axis."""

from collections.abc import Sequence
from itertools import pairwise

import onnx_ir as ir
import torch
from torch import Tensor

from export.builder import Builder, Dim, Extent, Operand, shape_of
from export.operators.operation import Operation, Writer
from export.operators.reach_windows import cut as cut_reach
from export.operators.reach_windows import joined
from export.operators.reach_windows import split as split_reach
from export.operators.shape import axis_in, unsqueeze
from export.operators.shapes import added, broadcast
from export.operators.vector import Lengths
from hifigan_ref.errors import HifiError

END = 2**63 - 1


def cat(graph: Builder, name: str, tensors: Sequence[Operand], dim: int = 0) -> ir.Value:
    """Along one axis."""
    values = [graph.given(tensor) for tensor in tensors]
    shapes = [shape_of(value) for value in values]
    axis = axis_in(name, dim, len(shapes[0]))
    others = [broadcast(*((*shape[:axis], 1, *shape[axis + 1 :]) for shape in shapes))]
    joined = (*others[0][:axis], added(*(s[axis] for s in shapes)), *others[0][axis + 1 :])
    return graph.op(name, "Concat", values, joined, {"axis": axis})


def stack(graph: Builder, name: str, tensors: Sequence[Operand], dim: int = 0) -> ir.Value:
    """Along a new axis."""
    values = [graph.given(tensor) for tensor in tensors]
    lifted = [unsqueeze(graph, f"{name}.{i}", value, dim) for i, value in enumerate(values)]
    return cat(graph, name, lifted, dim)


def cut(
    graph: Builder,
    name: str,
    x: ir.Value,
    bounds: dict[int, slice],
) -> ir.Value:
    """``x[first:last:step]`` along some axes."""
    if not bounds:
        return x
    shape = list(shape_of(x))
    first = [0 if part.start is None else part.start for part in bounds.values()]
    last = [END if part.stop is None else part.stop for part in bounds.values()]
    steps = [1 if part.step is None else part.step for part in bounds.values()]
    inputs = [
        graph.vector(f"{name}_first", first),
        graph.vector(f"{name}_last", last),
        graph.ints(*bounds),
    ]
    inputs += [graph.ints(*steps)] if set(steps) != {1} else []
    for axis, *edges in zip(bounds, first, last, steps, strict=True):
        shape[axis] = _left(shape[axis], *edges)
    return graph.op(name, "Slice", [x, *inputs], shape)


def _left(count: Extent, first: int | Dim, last: int | Dim, step: int) -> Extent:
    if isinstance(count, int) and isinstance(first, int) and isinstance(last, int):
        return len(range(count)[first:last:step])
    return None


def narrow(graph: Builder, name: str, x: ir.Value, dim: int, start: int, length: int) -> ir.Value:
    """So many rows from one on."""
    axis = axis_in(name, dim, len(shape_of(x)))
    return cut(graph, name, x, {axis: slice(start, start + length)})


def split(
    graph: Builder, name: str, x: ir.Value, split_size: int | Sequence[int], dim: int = 0
) -> list[ir.Value]:
    """Pieces of this size, or of these sizes."""
    axis, count = pieces_of(name, x, dim)
    sizes = (
        split_size if not isinstance(split_size, int) else [split_size] * -(-count // split_size)
    )
    edges = [min(sum(sizes[:i]), count) for i in range(len(sizes) + 1)]
    return [
        cut(graph, f"{name}.{i}", x, {axis: slice(first, last)})
        for i, (first, last) in enumerate(pairwise(edges))
    ]


def chunk(graph: Builder, name: str, x: ir.Value, chunks: int, dim: int = 0) -> list[ir.Value]:
    """So many pieces of one size, the last one perhaps shorter."""
    _, count = pieces_of(name, x, dim)
    return split(graph, name, x, -(-count // chunks), dim)


def pieces_of(name: str, x: ir.Value, dim: int) -> tuple[int, int]:
    """An axis counted from the front, and its length.

    Raises:
        HifiError: it is dynamic.
    """
    axis = axis_in(name, dim, len(shape_of(x)))
    count = shape_of(x)[axis]
    if not isinstance(count, int):
        raise HifiError(
            f"{name}: the number of pieces depends on a length: cut x[:, :n] and x[:, n:] instead"
        )
    return axis, count


def glu(graph: Builder, name: str, x: ir.Value, dim: int = -1) -> ir.Value:
    """The first half times the sigmoid of the second."""
    first, second = chunk(graph, f"{name}.half", x, 2, dim)
    gate = graph.op(f"{name}.gate", "Sigmoid", [second], shape_of(second))
    return graph.op(name, "Mul", [first, gate], shape_of(first))


def _slice(
    x: Tensor,
    first: Lengths,
    last: Lengths,
    axes: Tensor | None = None,
    steps: Tensor | None = None,
) -> Tensor:
    starts = first.tolist()
    places = range(len(starts)) if axes is None else axes.tolist()
    by = [1] * len(starts) if steps is None else steps.tolist()
    index = [slice(None)] * x.ndim
    for start, stop, axis, step in zip(starts, last.tolist(), places, by, strict=True):
        index[axis] = slice(start, None if step < 0 and stop < -x.shape[axis] else stop, step)
    if min(by) > 0:
        return x[tuple(index)]
    return torch.from_numpy(x.numpy()[tuple(index)].copy())  # PyTorch has no steps backwards


def _split(
    x: Tensor,
    given: Tensor | None = None,
    axis: int = 0,
    split: Sequence[int] | None = None,
    num_outputs: int | None = None,
) -> tuple[Tensor, ...]:
    length = x.shape[axis]
    sizes = split if given is None else given.tolist()
    if sizes is None and num_outputs is None:
        raise HifiError("Split into as many parts as the node has outputs is not evaluated here")
    if sizes is None:
        return torch.chunk(x, num_outputs or 1, axis)
    edges = [sum(sizes[:i]) for i in range(len(sizes))]
    assert sum(sizes) == length, "the parts are the whole"
    return tuple(x.narrow(axis, edge, size) for edge, size in zip(edges, sizes, strict=True))


CUT: dict[str, Writer] = {"narrow": narrow, "split": split, "chunk": chunk, "glu": glu}
JOINED: dict[str, Writer] = {"cat": cat, "concat": cat, "concatenate": cat, "stack": stack}

OPERATIONS = (
    Operation(
        "Concat", lambda *tensors, axis: torch.cat(tensors, axis), "moving", JOINED, reach=joined
    ),
    Operation("Slice", _slice, "moving", CUT, reach=cut_reach),
    Operation("Split", _split, "moving", reach=split_reach),
)
