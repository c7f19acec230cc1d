"""Floating-point operations of a graph, counted from its convolutions.

A multiply-add counts as two. Activations, pads and means are left out: they are below 0.1 % here.
"""

from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import onnx_ir as ir


@dataclass(frozen=True)
class LayerFlops:
    """One convolution.

    Attributes:
        name: of the node.
        flops: for the whole batch.
    """

    name: str
    flops: int


def count_flops(model: "ir.Model", batch: int, samples: int) -> tuple[LayerFlops, ...]:
    """The convolutions of a graph for inputs of shape (batch, 1, samples), in graph order."""
    import onnx_ir as ir
    from onnxscript import optimizer

    model = model.clone()
    for value in model.graph.inputs:
        value.shape = ir.Shape([batch, 1, samples])
    optimizer.fold_constants(model, onnx_shape_inference=True)
    return tuple(_layer(node) for node in model.graph if node.op_type == "Conv")


def _layer(node: "ir.Node") -> LayerFlops:
    output, weight = node.outputs[0], node.inputs[1]
    assert output.shape is not None and weight is not None and weight.shape is not None
    # every output element sums over (channels in / groups) x taps, which is the weight's tail
    return LayerFlops(
        node.name or "", 2 * prod(output.shape.numpy()) * prod(weight.shape.numpy()[1:])
    )
