"""B outputs in a row as channels of one: the band of a Toeplitz matrix as weights.

With h = s B and j + s b - p = h m + r,

    y[B q + b] = sum_j w[j] x[s (B q + b) + j - p] = sum_m sum_r W_b[h m + r] x[h (q + m) + r],

where W_b is w moved by s b. So h phases of the input with C channels each become h C channels, B
outputs B times the channels, and about k / h taps are left at stride 1. There are more products,
(k + s (B - 1)) / k times as many or somewhat more, but of channels by channels, as matrix units
want them: groups of 8 channels leave those idle.

A tile's elements stay behind their channel, so a group's stay together, and what is moved are
matrices of h rows. Where a layer's B is the next one's h nothing is moved in between.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from export.builder import Extent, shape_of
from export.lowering import tiles
from export.lowering.convolution import Convolution, why_not_covered
from export.lowering.layouts import Graph
from export.lowering.rule import Inner


@dataclass(frozen=True)
class Toeplitz:
    """(N, C, T) -> (N, C h, T / h) -> (N, C' B, T / h) -> (N, C', T / s).

    Attributes:
        outputs: B.
    """

    outputs: int
    sums: bool = False

    @property
    def name(self) -> str:
        """``toeplitz-4``."""
        return f"toeplitz-{self.outputs}"

    @property
    def purpose(self) -> str:
        """In words."""
        return f"{self.outputs} outputs in a row as channels of one"

    def refuses(self, conv: Convolution, shape: Sequence[Extent]) -> str | None:
        """One axis with taps, and an output for each started stride."""
        del shape
        axis = conv.axis
        if axis is None:
            return "it has more than one axis"
        if conv.kernel[axis] == 1:
            return "it has a single tap"
        if conv.dilations[axis] != 1:
            return "its taps are dilated"
        return why_not_covered(conv, axis)

    def rewrite(self, graph: Graph, conv: Convolution, x: ir.Value, inner: Inner) -> ir.Value:
        """Split into phases, convolve, put the tiles' outputs in a row."""
        axis = conv.axis
        assert axis is not None
        stride, before, name = conv.strides[axis], conv.before[axis], f"{conv.name}.{self.name}"
        hop = stride * self.outputs
        z = graph.enter(_layout(hop), x, lambda: _split(graph, f"{name}.phases", x, 2 + axis, hop))
        weight = _band(conv, axis, self.outputs)
        steps, taps = -(-before // hop), weight.shape[2 + axis]
        left = replace(
            conv,
            weight=weight,
            bias=None if conv.bias is None else np.repeat(conv.bias, self.outputs),
            **conv.at(axis, strides=1, before=steps, after=taps - 1 - steps),
        )
        extent = graph.extent(x, 2 + axis)
        y = inner(graph, left, z)
        length = conv.length(axis, shape_of(x)[2 + axis])
        full = length is not None and length % self.outputs == 0
        layout = _layout(self.outputs) if full else f"{name}.tiles"

        def join(name: str, value: ir.Value) -> ir.Value:
            joined = _join(graph, f"{name}.row", value, 2 + axis, self.outputs)
            last = tiles.per(graph, f"{name}.length", extent, stride)
            return tiles.crop(graph, f"{name}.crop", joined, 2 + axis, last)

        return graph.leave(layout, f"{name}.joined", y, join)


def _layout(size: int) -> str:
    return f"tiles-{size}"


def _split(graph: Graph, name: str, x: ir.Value, axis: int, hop: int) -> ir.Value:
    """(N, C, ..., T, ...) -> (N, C h, ..., T / h, ...), zeros behind."""
    short = tiles.shortage(graph, name, graph.extent(x, axis), hop)
    padded = tiles.pad(graph, f"{name}.pad", x, axis, 0, short)
    shape = list(shape_of(padded))
    length = shape[axis]
    steps = length // hop if isinstance(length, int) else None
    z = graph.reshape(f"{name}.tiles", padded, (*shape[:axis], steps, hop, *shape[axis + 1 :]))
    turned = graph.transpose(name, z, _behind_channels(axis + 1, len(shape) + 1))
    n, c, _, *rest = shape_of(turned)
    assert isinstance(c, int), "channels are fixed"
    return graph.reshape(f"{name}.channels", turned, (n, c * hop, *rest))


def _join(graph: Graph, name: str, y: ir.Value, axis: int, size: int) -> ir.Value:
    """(N, C B, ..., T, ...) -> (N, C, ..., T B, ...)."""
    n, c, *spatial = shape_of(y)
    assert isinstance(c, int), "channels are fixed"
    z = graph.reshape(f"{name}.apart", y, (n, c // size, size, *spatial))
    order = _behind_channels(axis + 1, 3 + len(spatial))
    back = [order.index(i) for i in range(len(order))]
    turned = graph.transpose(f"{name}.turned", z, back)
    length = spatial[axis - 2]
    spatial[axis - 2] = length * size if isinstance(length, int) else None
    return graph.reshape(name, turned, (n, c // size, *spatial))


def _behind_channels(axis: int, rank: int) -> list[int]:
    """The order that puts an axis third."""
    others = [i for i in range(2, rank) if i != axis]
    return [0, 1, axis, *others]


def _band(conv: Convolution, axis: int, outputs: int) -> NDArray[np.float64]:
    """(C', C / g, *K) -> (C' B, h C / g, *K'), the taps of output b moved by s b."""
    stride, taps = conv.strides[axis], conv.kernel[axis]
    hop = stride * outputs
    shift = -conv.before[axis] % hop
    rows = -(-(taps + stride * (outputs - 1) + shift) // hop)
    moved = np.moveaxis(conv.weight, 2 + axis, -1)  # (C', C / g, *other, k)
    out, each, *other, _ = moved.shape
    room = np.zeros((out, outputs, each, *other, rows * hop))
    for number in range(outputs):
        start = shift + stride * number
        room[:, number, ..., start : start + taps] = moved
    phases = room.reshape(out, outputs, each, *other, rows, hop)
    phases = np.moveaxis(phases, -1, 3)  # (C', B, C / g, h, *other, rows)
    joined = phases.reshape(out * outputs, each * hop, *other, rows)
    return np.moveaxis(joined, -1, 2 + axis)


RULES = (Toeplitz(2), Toeplitz(4))
