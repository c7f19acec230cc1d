"""Channels of each group filled up with zeros to a multiple of a runtime's block.

Blocked kernels take 8 or 16 channels at a time, and fall back to slower ones where a group does not
have them.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import onnx_ir as ir

from export.builder import Extent, shape_of
from export.lowering import tiles
from export.lowering.convolution import Convolution
from export.lowering.layouts import Graph
from export.lowering.rule import Inner


@dataclass(frozen=True)
class Block:
    """Blocks of so many channels.

    Attributes:
        size: of a block.
    """

    size: int
    sums: bool = False
    transposed: bool = False

    @property
    def name(self) -> str:
        """``block-16``."""
        return f"block-{self.size}"

    @property
    def purpose(self) -> str:
        """In words."""
        return f"channels of each group filled up to a multiple of {self.size}"

    def refuses(self, conv: Convolution, shape: Sequence[Extent]) -> str | None:
        """Something must be missing, and no more than there is."""
        del shape
        lacks = [-count % self.size for count in _each(conv)]
        if not any(lacks):
            return f"its channels are multiples of {self.size} already"
        most = any(lack > count for lack, count in zip(lacks, _each(conv), strict=True))
        return "most of the channels would be zeros" if most else None

    def rewrite(self, graph: Graph, conv: Convolution, x: ir.Value, inner: Inner) -> ir.Value:
        """Fill up, convolve, drop what was filled."""
        group, name = conv.group, f"{conv.name}.{self.name}"
        each_in, each_out = _each(conv)
        lack_in, lack_out = (-count % self.size for count in _each(conv))
        z = x
        if lack_in:
            z = _grouped(graph, f"{name}.groups", z, group)
            z = tiles.pad(graph, f"{name}.fill", z, 2, 0, lack_in)
            z = tiles.merge_channels(graph, f"{name}.channels", z)
        old = conv.weight.reshape(group, each_out, each_in, *conv.kernel)
        none = [(0, 0)] * len(conv.kernel)
        new = np.pad(old, [(0, 0), (0, lack_out), (0, lack_in), *none])
        bias = conv.bias
        if bias is not None:
            bias = np.pad(bias.reshape(group, each_out), [(0, 0), (0, lack_out)]).reshape(-1)
        left = replace(conv, weight=new.reshape(-1, *new.shape[2:]), bias=bias)
        y = inner(graph, left, z)
        if lack_out:
            y = _grouped(graph, f"{name}.results", y, group)
            y = tiles.crop(graph, f"{name}.drop", y, 2, each_out)
            y = tiles.merge_channels(graph, f"{name}.dropped", y)
        return y


def _each(conv: Convolution) -> tuple[int, int]:
    """Channels of a group, in and out."""
    return conv.weight.shape[1], conv.weight.shape[0] // conv.group


def _grouped(graph: Graph, name: str, x: ir.Value, group: int) -> ir.Value:
    """(N, g C, ...) -> (N, g, C, ...)."""
    n, c, *rest = shape_of(x)
    assert isinstance(c, int)
    return graph.reshape(name, x, (n, group, c // group, *rest))


RULES = (Block(8), Block(16))
