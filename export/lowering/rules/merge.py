"""g groups as g / m block-diagonal ones.

m times the multiplications, most of them with zero, in channels that fill a vector register: small
groups leave a kernel's registers empty.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import onnx_ir as ir

from export.builder import Extent
from export.lowering.convolution import Convolution
from export.lowering.layouts import Graph
from export.lowering.rule import Inner


@dataclass(frozen=True)
class Merge:
    """m groups become one.

    Attributes:
        count: m.
    """

    count: int
    sums: bool = False
    transposed: bool = False

    @property
    def name(self) -> str:
        """``merge-2``."""
        return f"merge-{self.count}"

    @property
    def purpose(self) -> str:
        """In words."""
        return f"{self.count} groups as one with zeros between them"

    def refuses(self, conv: Convolution, shape: Sequence[Extent]) -> str | None:
        """The groups must come out even."""
        del shape
        if conv.group == 1:
            return "it has no groups"
        even = conv.group % self.count == 0
        return None if even else f"{conv.group} groups are no multiple of {self.count}"

    def rewrite(self, graph: Graph, conv: Convolution, x: ir.Value, inner: Inner) -> ir.Value:
        """Weights only."""
        out, each, *taps = conv.weight.shape
        merged, members = conv.group // self.count, self.count
        old = conv.weight.reshape(merged, members, out // conv.group, each, *taps)
        new = np.zeros((merged, members, out // conv.group, members, each, *taps))
        for member in range(members):
            new[:, member, :, member] = old[:, member]
        weight = new.reshape(out, members * each, *taps)
        return inner(graph, replace(conv, weight=weight, group=merged), x)


RULES = (Merge(2), Merge(4))
