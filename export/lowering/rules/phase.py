"""Stride s as s times the channels: y[t] = sum_j w[j] x[s t + j - p].

With j - p = s m + r the tap j reads phase r of the input, m steps away: s phases with C channels
each become s C channels at stride 1, and the taps, padded to a multiple of s, are spread over them.
Group g keeps its s C / g channels together.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import onnx_ir as ir

from export.builder import Extent, shape_of
from export.lowering import tiles
from export.lowering.convolution import Convolution, spread, why_not_covered
from export.lowering.layouts import Graph
from export.lowering.rule import Inner


@dataclass(frozen=True)
class Phase:
    """(N, C, T) -> (N, s C, T / s)."""

    name: str = "phase"
    purpose: str = "stride s as s times the channels at stride 1"
    sums: bool = False
    transposed: bool = False

    def refuses(self, conv: Convolution, shape: Sequence[Extent]) -> str | None:
        """There must be a stride, and an output for each started one."""
        del shape
        axis = conv.axis
        if axis is None or conv.strides[axis] == 1:
            return "it has no stride, or more than one"
        if conv.dilations[axis] != 1:
            return "its taps are dilated"
        return why_not_covered(conv, axis)

    def rewrite(self, graph: Graph, conv: Convolution, x: ir.Value, inner: Inner) -> ir.Value:
        """Pad to a multiple of s, split, convolve."""
        axis = conv.axis
        assert axis is not None
        stride, before, name = conv.strides[axis], conv.before[axis], f"{conv.name}.phase"
        short = tiles.shortage(graph, name, graph.extent(x, 2 + axis), stride)
        padded = tiles.pad(graph, f"{name}.pad", x, 2 + axis, 0, short)
        z = tiles.cut(graph, name, padded, 2 + axis, stride)
        z = self._channels(graph, conv, name, z)
        steps = -(-before // stride)
        weight = spread(conv, axis)
        taps = weight.shape[2 + axis]
        left = replace(
            conv, weight=weight, **conv.at(axis, strides=1, before=steps, after=taps - 1 - steps)
        )
        return inner(graph, left, z)

    def _channels(self, graph: Graph, conv: Convolution, name: str, z: ir.Value) -> ir.Value:
        """(N, s, C, ...) -> (N, s C, ...), a group's phases side by side."""
        if conv.group == 1:
            return tiles.merge_channels(graph, f"{name}.channels", z)
        n, stride, c, *rest = shape_of(z)
        assert isinstance(stride, int) and isinstance(c, int)
        each = c // conv.group
        split = (n, stride, conv.group, each, *rest)
        z = graph.reshape(f"{name}.groups", z, split)
        order = [0, 2, 1, *range(3, len(split))]
        z = graph.transpose(f"{name}.grouped", z, order)
        return graph.reshape(f"{name}.channels", z, (n, stride * c, *rest))


RULES = (Phase(),)
