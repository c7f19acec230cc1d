"""The columns of a fold as items of the batch: (N, C, L, p) as (N p, C, 1, L).

A column is then contiguous, as a kernel along one axis wants it. The first layer moves the numbers,
the next ones find them in place; they are moved back only for who reads the feature map.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import onnx_ir as ir

from export.builder import Extent, shape_of
from export.lowering.convolution import Convolution
from export.lowering.layouts import Graph
from export.lowering.rule import Inner


@dataclass(frozen=True)
class Columns:
    """(N, C, L, p) -> (N p, C, 1, L)."""

    name: str = "columns"
    purpose: str = "the columns of a fold as items of the batch"
    sums: bool = False
    transposed: bool = False

    def refuses(self, conv: Convolution, shape: Sequence[Extent]) -> str | None:
        """The columns must be independent of each other."""
        if len(conv.kernel) != 2 or conv.axis != 0:
            return "it is no convolution along the columns of a fold"
        return None if isinstance(shape[3], int) else "it needs a fixed period"

    def rewrite(self, graph: Graph, conv: Convolution, x: ir.Value, inner: Inner) -> ir.Value:
        """Turn, convolve, turn back."""
        n, _, _, period = shape_of(x)
        assert isinstance(period, int)
        items = n * period if isinstance(n, int) else None
        layout = f"{self.name}.{period}"

        def turn() -> ir.Value:
            z = graph.transpose(f"{x.name}.{layout}.turned", x, (0, 3, 1, 2))
            _, _, c, length = shape_of(z)
            sizes = graph.ints(-1, _size(c), 1, 0)
            return graph.op(f"{x.name}.{layout}", "Reshape", [z, sizes], (items, c, 1, length))

        def turn_back(name: str, value: ir.Value) -> ir.Value:
            _, c, _, length = shape_of(value)
            sizes = graph.ints(-1, period, _size(c), 0)
            z = graph.op(f"{name}.apart", "Reshape", [value, sizes], (n, period, c, length))
            return graph.transpose(name, z, (0, 2, 3, 1))

        left = replace(
            conv,
            weight=conv.weight.swapaxes(2, 3),
            strides=conv.strides[::-1],
            dilations=conv.dilations[::-1],
            before=conv.before[::-1],
            after=conv.after[::-1],
        )
        z = graph.enter(layout, x, turn)
        return graph.leave(layout, f"{conv.name}.turned", inner(graph, left, z), turn_back)


def _size(extent: Extent) -> int:
    assert isinstance(extent, int), "channels are fixed"
    return extent


RULES = (Columns(),)
