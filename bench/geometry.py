"""The convolutions of a network as problems to solve: what they compute on which shape."""

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from export.builder import shape_of
from export.lowering.convolution import Convolution, is_convolution, read
from export.request import ExportRequest

if TYPE_CHECKING:
    import onnx_ir as ir

CONVOLUTION = "conv"  # name of the node of a layer alone


@dataclass(frozen=True)
class Geometry:
    """A convolution without its weights.

    Attributes:
        shape: of its input.
        channels: in and out.
        kernel: taps along each axis.
        strides: along each axis.
        dilations: along each axis.
        before: zeros in front.
        after: zeros behind.
        group: number of groups.
        slope: of the activation behind it, or None.
        transposed: whether a stride makes so many outputs of each input.
    """

    shape: tuple[int, ...]
    channels: tuple[int, int]
    kernel: tuple[int, ...]
    strides: tuple[int, ...]
    dilations: tuple[int, ...]
    before: tuple[int, ...]
    after: tuple[int, ...]
    group: int
    slope: float | None
    transposed: bool = False

    def convolution(self) -> Convolution:
        """With seeded weights of unit gain, rounded to float32."""
        return _convolution(self)

    def __str__(self) -> str:
        """``128 -> 128, 41 taps, stride 2, 4 groups on 2 x 128 x 8192``."""
        c_in, c_out = self.channels
        told = [f"{c_in} -> {c_out}", f"{max(self.kernel)} taps"]
        told += ["transposed"] if self.transposed else []
        told += [f"stride {max(self.strides)}"] if max(self.strides) > 1 else []
        told += [f"dilation {max(self.dilations)}"] if max(self.dilations) > 1 else []
        told += [f"{self.group} groups"] if self.group > 1 else []
        return f"{', '.join(told)} on {' x '.join(map(str, self.shape))}"


@lru_cache(maxsize=1)
def _convolution(geometry: Geometry) -> Convolution:
    c_in, c_out = geometry.channels
    generator = np.random.default_rng(0)
    weight = generator.standard_normal((c_out, c_in // geometry.group, *geometry.kernel))
    weight /= np.sqrt(weight[0].size)
    bias = generator.standard_normal(c_out)
    return Convolution(
        CONVOLUTION,
        weight.astype(np.float32).astype(np.float64),
        bias.astype(np.float32).astype(np.float64),
        geometry.strides,
        geometry.dilations,
        geometry.before,
        geometry.after,
        geometry.group,
        geometry.transposed,
    )


def geometries(model: "ir.Model", request: ExportRequest) -> dict[str, Geometry]:
    """The convolutions of a graph, by their names in plans."""
    return {
        request.variant.in_plans(node.name or ""): _geometry(node)
        for node in model.graph
        if is_convolution(node)
    }


def _geometry(node: "ir.Node") -> Geometry:
    conv = read(node)
    assert node.inputs[0] is not None
    shape = shape_of(node.inputs[0])
    assert all(isinstance(extent, int) for extent in shape), f"{node.name}: {shape}"
    slopes = [
        use.node.attributes.get_float("alpha", 0.01)
        for use in node.outputs[0].uses()
        if use.node.op_type == "LeakyRelu"
    ]
    return Geometry(
        tuple(extent for extent in shape if isinstance(extent, int)),
        conv.channels,
        conv.kernel,
        conv.strides,
        conv.dilations,
        conv.before,
        conv.after,
        conv.group,
        round(slopes[0], 6) if slopes else None,
        conv.transposed,
    )
