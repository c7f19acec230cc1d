"""B outputs in a row as one row of a matrix product, of which each group is one of a batch.

A GPU's library computes a convolution of g small groups as g convolutions, one after another. With
h = s B and W_b the taps moved by s b,

    y[B q + b] = sum_j w[j] x[s (B q + b) + j - p] = sum_i W_b[i] x[h q + i - p].

So with a group's channels side by side, (g, N, T, C / g), h samples are a row, the M rows that an
output sees are gathered into one, and all outputs are such rows times (M h C / g, B C' / g). There
are about (k + s (B - 1)) / k times as many products, but of large matrices; a larger B copies less,
as M is near k / h + 1. The next layer with as many groups finds its input as it wants it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from math import prod

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from export.builder import Dim, Extent, shape_of
from export.lowering import tiles
from export.lowering.convolution import Convolution, why_not_covered
from export.lowering.layouts import Graph
from export.lowering.rule import Inner

MOST_VALUES = 2**25  # of a matrix: with more, networks come near the 2 GiB that a file may have


@dataclass(frozen=True)
class MatMul:
    """(N, C, T) -> (g, N, T, C / g) -> (g, N T / h, M h C / g) -> (g, N T / h, B C' / g).

    Attributes:
        outputs: B.
    """

    outputs: int
    sums: bool = False
    transposed: bool = False

    @property
    def name(self) -> str:
        """``matmul-4``."""
        return f"matmul-{self.outputs}"

    @property
    def purpose(self) -> str:
        """In words."""
        return f"{self.outputs} outputs in a row as one row of a matrix product for each group"

    def refuses(self, conv: Convolution, shape: Sequence[Extent]) -> str | None:
        """One axis, and as many outputs as started strides."""
        del shape
        if len(conv.kernel) != 1:
            return "it is two-dimensional"
        if conv.kernel[0] == 1:
            return "it has a single tap"
        if conv.dilations[0] != 1:
            return "its taps are dilated"
        if conv.before[0] > conv.kernel[0] - conv.strides[0]:
            return "its padding is wider than its taps beyond a stride"
        rows = self._count(conv) * conv.strides[0] * self.outputs
        size = rows * self.outputs * conv.weight.shape[0] * conv.weight.shape[1]
        if size > MOST_VALUES:
            return f"its matrix would have {size} values, more than {MOST_VALUES}"
        return why_not_covered(conv, 0)

    def _count(self, conv: Convolution) -> int:
        """Rows that B outputs see: M."""
        hop = conv.strides[0] * self.outputs
        return -(-(conv.kernel[0] + hop - conv.strides[0]) // hop)

    def rewrite(self, graph: Graph, conv: Convolution, x: ir.Value, inner: Inner) -> ir.Value:
        """Gather the rows, multiply; there is no convolution left for another rewrite."""
        del inner
        group, name = conv.group, f"{conv.name}.{self.name}"
        layout = f"rows-{group}"
        z = graph.enter(layout, x, lambda: _enter(graph, f"{name}.groups", x, group))
        y = self._product(graph, conv, name, z)
        return graph.leave(layout, f"{name}.left", y, lambda at, value: _leave(graph, at, value))

    def _product(self, graph: Graph, conv: Convolution, name: str, z: ir.Value) -> ir.Value:
        """(g, N, T, C / g) -> (g, N, T', C' / g)."""
        stride, before = conv.strides[0], conv.before[0]
        hop = stride * self.outputs
        count = self._count(conv)
        batch, length = graph.extent(z, 1), graph.extent(z, 2)
        group, _, _, each = shape_of(z)
        assert isinstance(group, int) and isinstance(each, int), "channels are fixed"
        short = tiles.shortage(graph, name, length, hop)
        after = _line(graph, f"{name}.after", short, hop * (count - 1) - before, each)
        flat = _shaped(graph, f"{name}.flat", z, (group, batch, -1))
        padded = tiles.pad(graph, f"{name}.pad", flat, 2, before * each, after)
        steps = tiles.per(graph, f"{name}.steps", length, hop)
        rows = _shaped(graph, f"{name}.tiles", padded, (group, batch, -1, hop * each))
        seen = _gathered(graph, f"{name}.rows", rows, steps, count)
        matrix = _matrix(conv, self.outputs, count)
        left = _shaped(graph, f"{name}.lines", seen, (group, -1, matrix.shape[1]))
        weight = graph.weight(f"{name}.weight", matrix)
        lines = shape_of(left)[1]
        y = graph.op(name, "MatMul", [left, weight], (group, lines, matrix.shape[2]))
        if conv.bias is not None:
            bias = np.tile(conv.bias.reshape(group, 1, -1), (1, 1, self.outputs))
            shape = shape_of(y)
            y = graph.op(f"{name}.sum", "Add", [y, graph.weight(f"{name}.bias", bias)], shape)
        outputs = matrix.shape[2] // self.outputs
        y = _shaped(graph, f"{name}.outputs", y, (group, batch, -1, outputs))
        last = tiles.per(graph, f"{name}.length", length, stride)
        return tiles.crop(graph, f"{name}.crop", y, 2, last)


def _enter(graph: Graph, name: str, x: ir.Value, group: int) -> ir.Value:
    """(N, g C, T) -> (g, N, T, C)."""
    n, c, length = shape_of(x)
    assert isinstance(c, int), "channels are fixed"
    z = graph.reshape(f"{name}.apart", x, (n, group, c // group, length))
    return graph.transpose(name, z, (1, 0, 3, 2))


def _leave(graph: Graph, name: str, y: ir.Value) -> ir.Value:
    """(g, N, T, C) -> (N, g C, T)."""
    group, n, length, each = shape_of(y)
    assert isinstance(group, int) and isinstance(each, int), "channels are fixed"
    turned = graph.transpose(f"{name}.turned", y, (1, 0, 3, 2))
    return graph.reshape(name, turned, (n, group * each, length))


def _gathered(graph: Graph, name: str, rows: ir.Value, steps: int | Dim, count: int) -> ir.Value:
    """(g, N, R, K) -> (g, N, steps count, K): each row and then those behind it that it needs."""
    group, n, _, size = shape_of(rows)
    if isinstance(steps, int):
        places = np.arange(steps)[:, None] + np.arange(count)
        index = graph.constant(f"{name}.index", places.reshape(-1))
        return graph.op(name, "Gather", [rows, index], (group, n, steps * count, size), {"axis": 2})
    zero, one = (graph.constant(f"scalar_{end}", np.array(end)) for end in (0, 1))
    near = graph.ints(count)
    total = graph.integer(f"{name}.total", "Mul", [steps.value, near]).value
    last = graph.op(f"{name}.last", "Gather", [total, zero], (), dtype=ir.DataType.INT64)
    numbers = partial(graph.op, shape=(None,), dtype=ir.DataType.INT64)
    each = numbers(f"{name}.each", "Range", [zero, last, one])
    step = numbers(f"{name}.step", "Div", [each, near])
    index = numbers(f"{name}.index", "Add", [step, numbers(f"{name}.near", "Mod", [each, near])])
    return graph.op(name, "Gather", [rows, index], (group, n, None, size), {"axis": 2})


def _matrix(conv: Convolution, outputs: int, count: int) -> NDArray[np.float64]:
    """(C', C / g, k) -> (g, M h C / g, B C' / g)."""
    stride, group, taps = conv.strides[0], conv.group, conv.kernel[0]
    weight = conv.weight.reshape(group, -1, *conv.weight.shape[1:])  # (g, C' / g, C / g, k)
    room = np.zeros((group, count * stride * outputs, weight.shape[2], outputs, weight.shape[1]))
    for number in range(outputs):
        start = stride * number
        room[:, start : start + taps, :, number] = weight.transpose(0, 3, 2, 1)
    return room.reshape(group, room.shape[1] * room.shape[2], -1)


def _shaped(graph: Graph, name: str, x: ir.Value, sizes: tuple[int | Dim, ...]) -> ir.Value:
    """Reshape to sizes of which one may be -1, whatever is left."""
    whole = [size for size in shape_of(x) if isinstance(size, int)]
    rest = [size for size in sizes if isinstance(size, int) and size != -1]
    known = len(whole) == len(shape_of(x)) and len(rest) == len(sizes) - 1
    left = prod(whole) // prod(rest) if known else None
    shape = [left if size == -1 else size if isinstance(size, int) else None for size in sizes]
    return graph.op(name, "Reshape", [x, graph.vector(f"{name}.shape", sizes)], shape)


def _line(graph: Graph, name: str, length: int | Dim, more: int, each: int) -> int | Dim:
    """(T + more) C."""
    if isinstance(length, int):
        return (length + more) * each
    longer = graph.integer(f"{name}.more", "Add", [length.value, graph.ints(more)])
    return graph.integer(name, "Mul", [longer.value, graph.ints(each)])


RULES = tuple(MatMul(outputs) for outputs in (2, 4, 8, 16, 32))
