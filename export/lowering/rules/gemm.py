"""A convolution of one tap as matrix products: (N, g K, S) times (K, M) for each of g groups.

A product with constant weights is packed once and read once for the whole batch, where a
convolution's kernel reads its weights again for every item and few outputs at a time. For what
minimal filtering leaves of short filters.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import onnx_ir as ir

from export.builder import Extent, shape_of
from export.lowering.convolution import Convolution
from export.lowering.layouts import Graph
from export.lowering.rule import Inner

MOST_GROUPS = 8


@dataclass(frozen=True)
class Gemm:
    """(N, g K, S) -> g times (N, S, K) x (K, M)."""

    name: str = "gemm"
    purpose: str = "a convolution of one tap as matrix products"
    floor_db: float = 110.0

    def refuses(self, conv: Convolution, shape: Sequence[Extent]) -> str | None:
        """One tap, nothing around it, and few groups."""
        ones = (1,) * len(conv.kernel)
        if conv.kernel != ones or conv.strides != ones:
            return "it has more taps than one, or a stride"
        if any((*conv.before, *conv.after)):
            return "it is padded"
        if conv.group > MOST_GROUPS:
            return f"it has {conv.group} groups, more than {MOST_GROUPS}"
        dynamic = [extent for extent in shape[2:] if not isinstance(extent, int)]
        return "two of its axes are dynamic" if len(dynamic) > 1 else None

    def rewrite(self, graph: Graph, conv: Convolution, x: ir.Value, inner: Inner) -> ir.Value:
        """Channels last, a product for each group, channels first."""
        del inner  # nothing is left to rewrite
        n, _, *spatial = shape_of(x)
        group, name = conv.group, f"{conv.name}.{self.name}"
        c_in, c_out = (count // group for count in conv.channels)
        rank = len(spatial)
        z = graph.reshape(f"{name}.groups", x, (n, group, c_in, *spatial))
        z = graph.transpose(f"{name}.rows", z, (1, 0, *range(3, 3 + rank), 2))
        weight = conv.weight.reshape(group, c_out, c_in).swapaxes(1, 2)
        products = []
        for number in range(group):
            part = z
            if group > 1:
                bounds = [graph.ints(number), graph.ints(number + 1), graph.ints(0)]
                shape = (1, n, *spatial, c_in)
                part = graph.op(f"{name}.row_{number}", "Slice", [z, *bounds], shape)
            factors = [part, graph.weight(f"{name}.weight_{number}", weight[number])]
            shape = (1, n, *spatial, c_out)
            product = graph.op(f"{name}.product_{number}", "MatMul", factors, shape)
            bias = None if conv.bias is None else conv.bias.reshape(group, c_out)[number]
            if bias is not None and bias.any():
                terms = [product, graph.weight(f"{name}.bias_{number}", bias)]
                product = graph.op(f"{name}.biased_{number}", "Add", terms, shape)
            products.append(product)
        y = products[0]
        if group > 1:
            shape = (group, n, *spatial, c_out)
            y = graph.op(f"{name}.products", "Concat", products, shape, {"axis": 0})
        y = graph.transpose(f"{name}.columns", y, (1, 0, 2 + rank, *range(2, 2 + rank)))
        return graph.reshape(f"{name}.channels", y, (n, group * c_out, *spatial))


RULES = (Gemm(),)
