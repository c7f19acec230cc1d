"""A transposed convolution as one of stride 1: y[s q + r] = sum_m w[s m + r] x[q - m].

Without its pads, output s q + r reads the taps r, s + r, 2 s + r... alone: s phases of ceil(k / s)
taps each. They are s C channels of one convolution of stride 1, interleaved behind it; the pads
then drop outputs at both ends.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from export.builder import Extent, shape_of
from export.lowering import tiles
from export.lowering.convolution import Convolution
from export.lowering.layouts import Graph
from export.lowering.rule import Inner


@dataclass(frozen=True)
class Polyphase:
    """(N, C_in, L) -> (N, s C, L + taps - 1) -> (N, C, s L)."""

    name: str = "polyphase"
    purpose: str = "a transposed convolution as s times the channels at stride 1, interleaved"
    sums: bool = False
    transposed: bool = True

    def refuses(self, conv: Convolution, shape: Sequence[Extent]) -> str | None:
        """One axis, taps side by side, and nothing behind what they reach."""
        del shape
        if len(conv.kernel) != 1:
            return "it has more than one axis"
        if conv.dilations != (1,):
            return "its taps are dilated"
        return None if conv.after[0] >= 0 else "its last outputs are reached by no tap"

    def rewrite(self, graph: Graph, conv: Convolution, x: ir.Value, inner: Inner) -> ir.Value:
        """Convolve, interleave, drop the ends."""
        (stride,), (taps,), name = conv.strides, conv.kernel, f"{conv.name}.{self.name}"
        each = -(-taps // stride)
        left = replace(
            conv,
            weight=phases(conv, each),
            bias=None if conv.bias is None else _repeated(conv, conv.bias),
            strides=(1,),
            before=(each - 1,),
            after=(each - 1,),
            transposed=False,
        )
        y = inner(graph, left, x)
        n, _, length = shape_of(y)
        group, channels = conv.group, conv.weight.shape[0]
        apart = (n, group, stride, channels // group, length)
        z = graph.reshape(f"{name}.phases", y, apart)
        z = graph.transpose(f"{name}.turned", z, (0, 1, 3, 4, 2))
        whole = length * stride if isinstance(length, int) else None
        z = graph.reshape(f"{name}.interleaved", z, (n, channels, whole))
        behind = conv.after[0] + each * stride - taps
        return tiles.without_ends(graph, f"{name}.cut", z, 2, conv.before[0], behind)


def phases(conv: Convolution, each: int) -> NDArray[np.float64]:
    """(C_out, C_in / g, k) -> (s C_out, C_in / g, ceil(k / s)), a group's phases side by side."""
    (stride,), (taps,) = conv.strides, conv.kernel
    out, c_in, _ = conv.weight.shape
    room = np.zeros((out, c_in, each * stride))
    room[..., :taps] = conv.weight
    apart = room.reshape(conv.group, out // conv.group, c_in, each, stride)
    turned = np.moveaxis(apart, -1, 1)[..., ::-1]  # (g, s, C / g, C_in / g, taps), the last first
    return np.ascontiguousarray(turned.reshape(stride * out, c_in, each))


def _repeated(conv: Convolution, bias: NDArray[np.float64]) -> NDArray[np.float64]:
    by_group = bias.reshape(conv.group, 1, -1)
    return np.tile(by_group, (1, conv.strides[0], 1)).reshape(-1)


RULES = (Polyphase(),)
