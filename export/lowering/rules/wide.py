"""Conv1d on (N, C, T) as Conv2d on (N, C, 1, T) with a (1, k) kernel.

Runtimes keep their fast layouts and kernels for images; a one-dimensional convolution often misses
them. The shape between two such layers is left only where somebody else reads it.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import onnx_ir as ir

from export.builder import Extent, shape_of
from export.lowering.convolution import Convolution
from export.lowering.layouts import Graph
from export.lowering.rule import Inner


@dataclass(frozen=True)
class Wide:
    """(N, C, T) -> (N, C, 1, T)."""

    name: str = "wide"
    purpose: str = "Conv1d as Conv2d with a (1, k) kernel"
    sums: bool = False
    transposed: bool = False

    def refuses(self, conv: Convolution, shape: Sequence[Extent]) -> str | None:
        """Only one-dimensional ones have no second axis yet."""
        del shape
        return None if len(conv.kernel) == 1 else "it is two-dimensional already"

    def rewrite(self, graph: Graph, conv: Convolution, x: ir.Value, inner: Inner) -> ir.Value:
        """Widen, convolve, narrow."""
        n, c, length = shape_of(x)
        z = graph.enter(self.name, x, lambda: graph.reshape(f"{x.name}.wide", x, (n, c, 1, length)))
        left = replace(
            conv,
            weight=conv.weight[:, :, None],
            strides=(1, *conv.strides),
            dilations=(1, *conv.dilations),
            before=(0, *conv.before),
            after=(0, *conv.after),
        )

        def narrow(name: str, value: ir.Value) -> ir.Value:
            n, c, _, length = shape_of(value)
            return graph.reshape(name, value, (n, c, length))

        return graph.leave(self.name, f"{conv.name}.narrow", inner(graph, left, z), narrow)


RULES = (Wide(),)
