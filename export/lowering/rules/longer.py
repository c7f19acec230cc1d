"""One output more than asked, and cut off again.

A runtime chooses its kernel by the length of what it computes, and there are lengths for which it
chooses badly: OpenVINO's int8 takes fifteen times as long for 4096 outputs of a layer as for 4097.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import onnx_ir as ir

from export.builder import Extent
from export.lowering import tiles
from export.lowering.convolution import Convolution
from export.lowering.layouts import Graph
from export.lowering.rule import Inner


@dataclass(frozen=True)
class Longer:
    """(N, C, T) -> (N, C, T + 1) -> (N, C, T)."""

    name: str = "longer"
    purpose: str = "one output more than asked, cut off again"
    sums: bool = False
    transposed: bool = False

    def refuses(self, conv: Convolution, shape: Sequence[Extent]) -> str | None:
        """It must be clear along which axis."""
        del shape
        return "it has more than one axis" if conv.axis is None else None

    def rewrite(self, graph: Graph, conv: Convolution, x: ir.Value, inner: Inner) -> ir.Value:
        """A stride more of zeros behind, convolve, drop what they gave."""
        axis, name = conv.axis, f"{conv.name}.{self.name}"
        assert axis is not None
        after = conv.after[axis] + conv.strides[axis]
        y = inner(graph, replace(conv, **conv.at(axis, after=after)), x)
        return graph.leave(
            name,
            f"{name}.cut",
            y,
            lambda at, value: tiles.without_ends(graph, at, value, 2 + axis, 0, 1),
        )


RULES = (Longer(),)
