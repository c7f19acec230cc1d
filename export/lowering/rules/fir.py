"""Minimal filtering: M outputs of R taps from M + R - 1 products instead of M R.

The output is cut into tiles of M. With taps j = R u + v,

    y[M t + i] = sum_u sum_v w[R u + v] x[M (t + u R / M) + i + v],

for every u an R-tap filter on M + R - 1 phases of the input. So B turns the phases of the input into
M + R - 1 signals, each is convolved with its own taps (G times the taps; k / R of them, R / M apart),
and A turns the results into the phases of the output. M = R is the fast FIR algorithm of a
polyphase filter (M = 2: three half-length convolutions instead of four), R = k Winograd's F(M, k). All
signals go through one convolution with M + R - 1 times the groups.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from math import prod

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from export.builder import Extent, shape_of
from export.lowering import tiles
from export.lowering.convolution import Convolution
from export.lowering.layouts import Graph
from export.lowering.rule import Inner
from export.lowering.toom import POINTS, minimal_filter


@dataclass(frozen=True)
class Fir:
    """F(M, R) on tiles of M outputs.

    Attributes:
        outputs: M.
        taps: R.
        floor_db: see ``Rule``: larger tiles add larger numbers.
    """

    outputs: int
    taps: int
    floor_db: float = 110.0

    @property
    def name(self) -> str:
        """``fir-4-5``."""
        return f"fir-{self.outputs}-{self.taps}"

    @property
    def purpose(self) -> str:
        """In words."""
        m, r = self.outputs, self.taps
        return f"{m} outputs of {r} taps from {m + r - 1} products instead of {m * r}"

    def refuses(self, conv: Convolution, shape: Sequence[Extent]) -> str | None:
        """One axis, stride 1, more taps than one, and tiles that line up."""
        axis = conv.axis
        if axis is None or conv.strides[axis] != 1:
            return "its stride is not 1, or it has more than one axis"
        if conv.dilations[axis] != 1:
            return "its taps are dilated"
        taps = conv.kernel[axis]
        if taps < self.taps:
            return f"it has {taps} taps, fewer than {self.taps}"
        if taps > self.taps and self.taps % self.outputs:
            return f"it has {taps} taps and {self.taps} are no multiple of {self.outputs}"
        length = shape[2 + axis]
        outputs = conv.length(axis, length)
        if outputs is not None and outputs < self.outputs:
            return f"it has fewer than {self.outputs} outputs"
        return None

    def rewrite(self, graph: Graph, conv: Convolution, x: ir.Value, inner: Inner) -> ir.Value:
        """Cut, transform, convolve, transform back, join."""
        axis = conv.axis
        assert axis is not None
        m, r, name, at = self.outputs, self.taps, f"{conv.name}.{self.name}", 2 + axis
        count = -(-conv.kernel[axis] // r)  # taps that each signal keeps
        apart = max(r // m, 1)
        blocks = -(-(m + r - 1) // m)  # tiles that one output tile sees
        more = conv.before[axis] + conv.after[axis] - conv.kernel[axis] + 1
        length = tiles.plus(graph, f"{name}.length", graph.extent(x, at), more)
        short = tiles.shortage(graph, name, length, m)
        behind = more - conv.before[axis] + m * ((count - 1) * apart + blocks - 1)
        after = tiles.plus(graph, f"{name}.after", short, behind)
        padded = tiles.pad(graph, f"{name}.pad", x, at, conv.before[axis], after)
        cut = tiles.cut(graph, name, padded, at, m)  # (N, M, C, ..., L, ...)
        z = self._transform_inputs(graph, name, cut, axis)
        left = replace(
            conv,
            weight=self._transform_taps(conv, axis, count),
            bias=self._transform_bias(conv),
            group=conv.group * (m + r - 1),
            **conv.at(axis, before=0, after=0, dilations=apart),
        )
        results = inner(graph, left, z)
        spatial = shape_of(results)[2:]

        def join(name: str, y: ir.Value) -> ir.Value:
            n, _, c, _ = shape_of(y)
            sizes = (0, m, _fixed(c), *map(_extent, spatial))
            y = graph.reshape(f"{name}.split", y, sizes, (n, m, c, *spatial))
            return tiles.crop(graph, name, tiles.join(graph, name, y, at), at, length)

        y = self._transform_outputs(graph, name, results)
        return graph.leave(self.name, f"{name}.joined", y, join)

    def _transform_inputs(self, graph: Graph, name: str, cut: ir.Value, axis: int) -> ir.Value:
        """B: (N, M, C, ..., L, ...) -> (N, (M + R - 1) C, ..., L', ...)."""
        n, m, c, *spatial = shape_of(cut)
        matrix = minimal_filter(self.outputs, self.taps).inputs
        size = len(matrix)
        blocks = -(-size // self.outputs)
        weight = np.zeros((size, blocks * self.outputs))
        weight[:, :size] = matrix
        weight = weight.reshape(size, blocks, self.outputs).swapaxes(1, 2)[:, :, None]
        outer, inner = prod(map(_fixed, spatial[:axis])), prod(map(_fixed, spatial[axis + 1 :]))
        length = spatial[axis]
        flat = _times(length, inner)
        shape = (n, m, _fixed(c) * outer, flat)
        z = graph.reshape(f"{name}.flat", cut, (0, _fixed(m), shape[2], _extent(flat)), shape)
        left = length - blocks + 1 if isinstance(length, int) else None
        z = graph.op(
            f"{name}.inputs",
            "Conv",
            [z, graph.weight(f"{name}.B", weight)],
            (n, size, shape[2], _times(left, inner)),
            {"kernel_shape": (1, blocks), "dilations": (1, inner)},
        )
        spatial[axis] = left
        sizes = (0, size * _fixed(c), *map(_extent, spatial))
        return graph.reshape(f"{name}.signals", z, sizes, (n, size * _fixed(c), *spatial))

    def _transform_taps(self, conv: Convolution, axis: int, count: int) -> NDArray[np.float64]:
        """G: (C_out, C, *K) -> ((M + R - 1) C_out, C, *K / R)."""
        moved = np.moveaxis(conv.weight, 2 + axis, -1)
        room = np.zeros((*moved.shape[:-1], count * self.taps))
        room[..., : moved.shape[-1]] = moved
        taps = room.reshape(*moved.shape[:-1], count, self.taps)
        signals = np.moveaxis(taps @ minimal_filter(self.outputs, self.taps).taps.T, -1, 0)
        joined = signals.reshape(-1, *signals.shape[2:])
        return np.moveaxis(joined, -1, 2 + axis)

    def _transform_bias(self, conv: Convolution) -> NDArray[np.float64] | None:
        """At the point 1, whose powers are all 1, it reaches each output once."""
        if conv.bias is None:
            return None
        bias = np.zeros((self.outputs + self.taps - 1, len(conv.bias)))
        bias[POINTS.index(Fraction(1))] = conv.bias
        return bias.reshape(-1)

    def _transform_outputs(self, graph: Graph, name: str, z: ir.Value) -> ir.Value:
        """A: (N, (M + R - 1) C, ...) -> (N, M, C, ...)."""
        n, channels, *spatial = shape_of(z)
        matrix = minimal_filter(self.outputs, self.taps).outputs
        size = matrix.shape[1]
        c = _fixed(channels) // size
        flat = prod(map(_fixed, spatial)) if all(isinstance(e, int) for e in spatial) else None
        sizes = (0, size, c, _extent(flat))
        z = graph.reshape(f"{name}.results", z, sizes, (n, size, c, flat))
        return graph.op(
            f"{name}.outputs",
            "Conv",
            [z, graph.weight(f"{name}.A", matrix[:, :, None, None])],
            (n, self.outputs, c, flat),
            {"kernel_shape": (1, 1)},
        )


def _fixed(extent: Extent) -> int:
    assert isinstance(extent, int), "only the convolved axis and the batch are dynamic"
    return extent


def _extent(extent: Extent) -> int:
    return extent if isinstance(extent, int) else -1


def _times(extent: Extent, factor: int) -> int | None:
    return extent * factor if isinstance(extent, int) else None


RULES = (Fir(2, 2), Fir(3, 3), Fir(4, 4), Fir(2, 4), Fir(2, 5), Fir(3, 5), Fir(4, 5), Fir(4, 2))
