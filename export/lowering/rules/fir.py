"""Minimal filtering: M outputs of R taps from M + R - 1 products instead of M R.

The taps, k of them at stride s, are spread over the s phases of the input (see ``phase``), and
the outputs are cut into tiles of M. With taps j = R u + v of a phase,

    y[M t + i] = sum_u sum_v w[R u + v] x[M (t + u R / M) + i + v],

for every u an R-tap filter on M + R - 1 neighbours. So B turns the input into M + R - 1 signals a
tile apart, each is convolved with its own taps (G times the taps: k / (s R) of them, R / M apart),
and A turns the results into tiles of the output. M = R is the fast FIR algorithm of a polyphase
filter (M = 2: three half-length convolutions instead of four), R = k Winograd's F(M, k).

Written as three convolutions and nothing else: B with one channel in and a stride of s M, the
products with M + R - 1 times the groups, and A as a transposed convolution with a stride of M.
B never sees fewer samples than it has taps: oneDNN computes a strided convolution with a single
output wrongly (docs/runtimes.md).
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from export.builder import Extent, shape_of
from export.lowering import tiles
from export.lowering.convolution import Convolution, spread, why_not_covered
from export.lowering.layouts import Graph
from export.lowering.rule import Inner
from export.lowering.toom import POINTS, minimal_filter


@dataclass(frozen=True)
class Fir:
    """F(M, R) on tiles of M outputs.

    Attributes:
        outputs: M.
        taps: R.
        sums: see ``Rule``.
    """

    outputs: int
    taps: int
    sums: bool = True
    transposed: bool = False

    @property
    def name(self) -> str:
        """``fir-4-5``."""
        return f"fir-{self.outputs}-{self.taps}"

    @property
    def purpose(self) -> str:
        """In words."""
        m, r = self.outputs, self.taps
        return f"{m} outputs of {r} taps from {m + r - 1} products instead of {m * r}"

    def products(self, taps: int) -> Fraction:
        """Products of an output of a filter with so many taps."""
        count = -(-taps // self.taps)
        return Fraction((self.outputs + self.taps - 1) * count, self.outputs)

    def refuses(self, conv: Convolution, shape: Sequence[Extent]) -> str | None:
        """One axis, enough taps, and tiles that line up."""
        axis = conv.axis
        if axis is None:
            return "it has more than one axis"
        if conv.dilations[axis] != 1:
            return "its taps are dilated"
        if any(not isinstance(extent, int) for i, extent in enumerate(shape[2:]) if i != axis):
            return "it needs a fixed period"
        uncovered = why_not_covered(conv, axis) if conv.strides[axis] > 1 else None
        return uncovered or self._why_not_in_line(conv, axis)

    def _why_not_in_line(self, conv: Convolution, axis: int) -> str | None:
        """Why tiles and so many taps do not go together; None where they do."""
        taps = _spread_taps(conv, axis).shape[2 + axis]
        if taps < self.taps:
            return f"it has {taps} taps for each phase, fewer than {self.taps}"
        if taps > self.taps and self.taps % self.outputs:
            return f"it has {taps} taps for each phase, and tiles of {self.outputs} do not line up"
        return None

    def rewrite(self, graph: Graph, conv: Convolution, x: ir.Value, inner: Inner) -> ir.Value:
        """B, the products, A."""
        axis = conv.axis
        assert axis is not None
        width = conv.strides[axis] * (self.outputs + self.taps - 1)
        wide = tiles.at_least(graph, f"{conv.name}.{self.name}.filled", x, 2 + axis, width)
        signals = self._signals(graph, conv, axis, wide)
        left = self._products(conv, axis)
        return self._outputs(graph, conv, axis, x, inner(graph, left, signals))

    def _signals(self, graph: Graph, conv: Convolution, axis: int, x: ir.Value) -> ir.Value:
        """B: (N, C, T) -> (N, g (M + R - 1) s C / g, T')."""
        m, stride, group = self.outputs, conv.strides[axis], conv.group
        matrix = minimal_filter(m, self.taps).inputs
        size = len(matrix)
        weight = np.zeros((group, size, stride, stride * size))
        for phase in range(stride):
            weight[:, :, phase, phase::stride] = matrix
        n, channels, *spatial = shape_of(x)
        each = _fixed(channels) // group
        width = stride * size
        before = -(-conv.before[axis] // stride) * stride
        count, apart = self._count(conv, axis), self._apart
        # for lengths that change: as many signals as ceil(T / s M) tiles see, whatever is left over
        after = stride * m * (count - 1) * apart - 1 + width - before - _less(conv, axis)
        length, reached = spatial[axis], None
        if isinstance(length, int):
            reached = self._tiles(conv, axis, length) + (count - 1) * apart
            after = stride * m * (reached - 1) + width - length - before
        z, rest = _in_rows(graph, f"{conv.name}.{self.name}.rows", x, axis, (group, each))
        z = graph.op(
            f"{conv.name}.{self.name}.inputs",
            "Conv",
            [z, graph.weight(f"{conv.name}.{self.name}.B", _columns(weight, width, rest))],
            (n, group * size * stride, each, reached, *rest),
            {
                "kernel_shape": (1, width, *_ones(rest)),
                "strides": (1, stride * m, *_ones(rest)),
                "pads": (0, before, *_zeros(rest), 0, after, *_zeros(rest)),
                "group": group,
            },
        )
        spatial[axis] = reached
        shape = (n, size * stride * _fixed(channels), *spatial)
        return graph.reshape(f"{conv.name}.{self.name}.signals", z, shape)

    def _products(self, conv: Convolution, axis: int) -> Convolution:
        """G: what is left, with the groups of each old one side by side."""
        spread_taps = np.moveaxis(_spread_taps(conv, axis), 2 + axis, -1)
        count = self._count(conv, axis)
        room = np.zeros((*spread_taps.shape[:-1], count * self.taps))
        room[..., : spread_taps.shape[-1]] = spread_taps
        split = room.reshape(*spread_taps.shape[:-1], count, self.taps)
        taps = split @ minimal_filter(self.outputs, self.taps).taps.T  # (O, C, other, count, size)
        group, size = conv.group, taps.shape[-1]
        taps = np.moveaxis(taps.reshape(group, -1, *taps.shape[1:]), -1, 1)
        weight = np.moveaxis(taps.reshape(-1, *taps.shape[3:]), -1, 2 + axis)
        bias = None
        if conv.bias is not None:  # at the point 1, whose powers reach each output once
            signals = np.zeros((group, size, len(conv.bias) // group))
            signals[:, POINTS.index(Fraction(1))] = conv.bias.reshape(group, -1)
            bias = signals.reshape(-1)
        changed = conv.at(axis, before=0, after=0, strides=1, dilations=self._apart)
        return replace(conv, weight=weight, bias=bias, group=group * size, **changed)

    def _outputs(
        self, graph: Graph, conv: Convolution, axis: int, x: ir.Value, results: ir.Value
    ) -> ir.Value:
        """A: (N, g (M + R - 1) C / g, T') -> (N, C, T)."""
        m, group, name = self.outputs, conv.group, f"{conv.name}.{self.name}"
        matrix = minimal_filter(m, self.taps).outputs.T
        n, *_ = shape_of(x)
        length = shape_of(x)[2 + axis]
        outputs = conv.length(axis, length)
        each = conv.weight.shape[0] // group
        z, rest = _in_rows(graph, f"{name}.results", results, axis, (group * len(matrix), each))
        over, tiled = 0, None  # cut off below where a length is dynamic, or short and was filled up
        if outputs is not None:
            count = _fixed(shape_of(results)[2 + axis])
            over = m * count - outputs if m * count - outputs < m else 0
            tiled = m * count - over
        weight = np.tile(matrix, (group, 1))
        y = graph.op(
            f"{name}.outputs",
            "ConvTranspose",
            [z, graph.weight(f"{name}.A", _columns(weight, m, rest))],
            (n, group, each, tiled, *rest),
            {
                "kernel_shape": (1, m, *_ones(rest)),
                "strides": (1, m, *_ones(rest)),
                "pads": (0, 0, *_zeros(rest), 0, over, *_zeros(rest)),
                "group": group,
            },
        )

        def join(name: str, value: ir.Value) -> ir.Value:
            spatial = list(shape_of(results)[2:])
            spatial[axis] = tiled
            joined = graph.reshape(f"{name}.joined", value, (n, group * each, *spatial))
            if outputs is not None:
                return tiles.crop(graph, f"{name}.crop", joined, 2 + axis, outputs)
            extent = graph.extent(x, 2 + axis)
            started = tiles.per(graph, f"{name}.length", extent, conv.strides[axis])
            left = tiles.minus(graph, f"{name}.left", started, _less(conv, axis))
            return tiles.crop(graph, f"{name}.crop", joined, 2 + axis, left)

        return graph.leave(f"{conv.name}.{self.name}", name, y, join)

    @property
    def _apart(self) -> int:
        """Tiles between two taps of a signal."""
        return max(self.taps // self.outputs, 1)

    def _count(self, conv: Convolution, axis: int) -> int:
        """Taps of a signal."""
        taps: int = _spread_taps(conv, axis).shape[2 + axis]
        return -(-taps // self.taps)

    def _tiles(self, conv: Convolution, axis: int, length: int) -> int:
        """Of the output."""
        outputs = conv.length(axis, length)
        assert outputs is not None
        return -(-outputs // self.outputs)


def _less(conv: Convolution, axis: int) -> int:
    """By how much fewer than ceil(T / s) the outputs are."""
    if conv.strides[axis] > 1:
        return 0
    return conv.kernel[axis] - 1 - conv.before[axis] - conv.after[axis]


def _spread_taps(conv: Convolution, axis: int) -> NDArray[np.float64]:
    """(C_out, s C, *K / s)."""
    return conv.weight if conv.strides[axis] == 1 else spread(conv, axis)


def _in_rows(
    graph: Graph, name: str, x: ir.Value, axis: int, channels: tuple[int, int]
) -> tuple[ir.Value, list[int]]:
    """(N, C, ..., T, ...) as (N, *channels, T, period), and the period, if there is one."""
    n, _, *spatial = shape_of(x)
    rest = [_fixed(extent) for i, extent in enumerate(spatial) if i != axis and extent != 1]
    return graph.reshape(name, x, (n, *channels, spatial[axis], *rest)), rest


def _columns(weight: NDArray[np.float64], width: int, rest: Sequence[int]) -> NDArray[np.float64]:
    """(..., K) -> (C, 1, 1, K, 1)."""
    return weight.reshape(-1, 1, 1, width, *_ones(rest))


def _fixed(extent: Extent) -> int:
    assert isinstance(extent, int), "only the batch and the convolved axis may be dynamic"
    return extent


def _ones(rest: Sequence[int]) -> tuple[int, ...]:
    return (1,) * len(rest)


def _zeros(rest: Sequence[int]) -> tuple[int, ...]:
    return (0,) * len(rest)


SIZES = ((2, 2), (3, 3), (4, 4), (2, 4), (3, 2), (4, 2), (2, 5), (3, 5), (4, 5))
RULES = tuple(Fir(m, r) for m, r in SIZES)
