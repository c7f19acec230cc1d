"""The rows of a fold end to end: (N, C, L, p) as (N, C, 1, L p), taps p apart.

A tap along the columns of the fold is a tap p samples away in the waveform. Nothing moves in
memory, and instead of p outputs at a time, a row holds them all. Only for stride 1: see ``phase``.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import onnx_ir as ir

from export.builder import Extent, shape_of
from export.lowering.convolution import Convolution
from export.lowering.layouts import Graph
from export.lowering.rule import Inner


@dataclass(frozen=True)
class Rows:
    """(N, C, L, p) -> (N, C, 1, L p)."""

    name: str = "rows"
    purpose: str = "the rows of a fold end to end, dilated by the period"
    sums: bool = False
    transposed: bool = False

    def refuses(self, conv: Convolution, shape: Sequence[Extent]) -> str | None:
        """The columns must be independent of each other, and each tap a fixed distance away."""
        if len(conv.kernel) != 2 or conv.axis != 0:
            return "it is no convolution along the columns of a fold"
        if conv.strides[0] != 1:
            return "its stride is not 1"
        return None if isinstance(shape[3], int) else "it needs a fixed period"

    def rewrite(self, graph: Graph, conv: Convolution, x: ir.Value, inner: Inner) -> ir.Value:
        """Lay flat, convolve, fold again."""
        n, c, length, period = shape_of(x)
        assert isinstance(c, int) and isinstance(period, int)
        flat = length * period if isinstance(length, int) else None
        layout = f"{self.name}.{period}"
        z = graph.enter(
            layout,
            x,
            lambda: graph.reshape(f"{x.name}.{layout}", x, (n, c, 1, flat)),
        )
        left = replace(
            conv,
            weight=conv.weight.swapaxes(2, 3),
            strides=(1, 1),
            dilations=(1, conv.dilations[0] * period),
            before=(0, conv.before[0] * period),
            after=(0, conv.after[0] * period),
        )

        def fold(name: str, value: ir.Value) -> ir.Value:
            n, c, _, flat = shape_of(value)
            rows = flat // period if isinstance(flat, int) else None
            return graph.reshape(name, value, (n, c, rows, period))

        return graph.leave(layout, f"{conv.name}.fold", inner(graph, left, z), fold)


RULES = (Rows(),)
