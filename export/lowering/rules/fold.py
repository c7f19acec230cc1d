"""Dilation d as a fold by d: with t = d q + r, taps d apart stand side by side in column r.

The signal is cut into rows of d samples, (N, C, T / d, d); what was dilated is a plain convolution
along the columns, which the forms of a fold take.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import onnx_ir as ir

from export.builder import Extent, shape_of
from export.lowering import tiles
from export.lowering.convolution import Convolution
from export.lowering.layouts import Graph
from export.lowering.rule import Inner


@dataclass(frozen=True)
class Fold:
    """(N, C, T) -> (N, C, T / d, d)."""

    name: str = "fold"
    purpose: str = "dilation d as a fold by d"
    sums: bool = False
    transposed: bool = False

    def refuses(self, conv: Convolution, shape: Sequence[Extent]) -> str | None:
        """One dilated axis, whose pads are whole rows and keep its length."""
        del shape
        if len(conv.kernel) != 1 or conv.dilations[0] == 1:
            return "it is not dilated along a single axis"
        if conv.strides[0] != 1:
            return "it has a stride"
        dilation, before, after = conv.dilations[0], conv.before[0], conv.after[0]
        if before % dilation or before + after != dilation * (conv.kernel[0] - 1):
            return "its pads are no multiple of its dilation, or change the length"
        return None

    def rewrite(self, graph: Graph, conv: Convolution, x: ir.Value, inner: Inner) -> ir.Value:
        """Pad to whole rows, fold, convolve, unfold."""
        (dilation,), name = conv.dilations, f"{conv.name}.{self.name}"
        n, c, length = shape_of(x)
        short = tiles.shortage(graph, name, graph.extent(x, 2), dilation)
        padded = tiles.pad(graph, f"{name}.pad", x, 2, 0, short)
        rows = -(-length // dilation) if isinstance(length, int) else None
        z = graph.reshape(f"{name}.folded", padded, (n, c, rows, dilation))
        left = replace(
            conv,
            weight=conv.weight[..., None],
            strides=(1, 1),
            dilations=(1, 1),
            before=(conv.before[0] // dilation, 0),
            after=(conv.after[0] // dilation, 0),
        )
        y = inner(graph, left, z)
        whole = rows * dilation if rows is not None else None
        flat = graph.reshape(f"{name}.flat", y, (n, conv.weight.shape[0], whole))
        return tiles.crop(graph, f"{name}.cut", flat, 2, graph.extent(x, 2))


RULES = (Fold(),)
