"""A layer alone as a file that every backend takes: one input y of shape (N, 1, T).

T is all that an item of the layer's input holds; a reshape, which moves nothing, shapes it.
"""

from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray
from onnx_ir.passes.common import RemoveUnusedNodesPass

from bench.geometry import Geometry
from export import artifact
from export.artifact import Artifact, Manifest
from export.builder import shape_of
from export.layers import shaped_layers
from export.lowering.convolution import exchanged
from export.lowering.layouts import Graph
from export.lowering.rule import Form, write_form
from export.opset import ir_version
from export.request import DEFAULT_OPSET
from hifigan_ref.network import BATCH, SAMPLES
from hifigan_ref.variant import all_variants

OUTPUT = "z"
LAYER = all_variants()[0]  # a layer is no network, but every file is of one


def layer_graph(geometry: Geometry, form: Form, opset: int = DEFAULT_OPSET) -> ir.Model:
    """y -> the layer in a form, its activation included.

    Raises:
        HifiError: a rewrite refuses the layer.
    """
    graph = Graph()
    batch, *item = geometry.shape
    y = ir.val("y", graph.real, (batch, 1, prod(item)))
    return of_layer(graph, y, graph.reshape("x", y, geometry.shape), geometry, form, opset)


def of_layer(
    graph: Graph, given: ir.Value, x: ir.Value, geometry: Geometry, form: Form, opset: int
) -> ir.Model:
    """The layer in a form on x, which a graph made of what it is given.

    Raises:
        HifiError: a rewrite refuses the layer.
    """
    value = write_form(graph, form, geometry.convolution(), x)
    if geometry.slope is not None:
        value = graph.activate("activation", "LeakyRelu", value, {"alpha": geometry.slope})
    value.name = OUTPUT
    made = ir.Graph(
        [given],
        [value],
        nodes=graph.nodes,
        initializers=graph.initializers,
        opset_imports={"": opset},
        name="layer",
    )
    model = ir.Model(made, ir_version=ir_version(opset))
    RemoveUnusedNodesPass()(model)
    return model


def cost(model: ir.Model) -> tuple[int, int]:
    """FLOPs, and bytes that its nodes must move."""
    layers = shaped_layers(model)
    return sum(layer.flops for layer in layers), sum(layer.bytes for layer in layers)


def save(model: ir.Model, folder: Path) -> Artifact:
    """As a file of ours, so that a backend can tell what it is given."""
    proto = ir.to_proto(model)
    content = proto.SerializeToString(deterministic=True)
    batch, _, samples = shape_of(model.graph.inputs[0])
    assert isinstance(batch, int) and isinstance(samples, int)
    ports = (artifact.ports(proto.graph.input), artifact.ports(proto.graph.output))
    manifest = Manifest(
        schema=artifact.SCHEMA,
        variant=str(LAYER),
        weights="a layer of unit gain",
        weights_digest="",
        opset=model.opset_imports[""],
        ir_version=proto.ir_version,
        sizes={BATCH: batch, SAMPLES: samples},
        smallest={BATCH: 1, SAMPLES: 1},
        views=(),
        inputs=ports[0],
        outputs=ports[1],
        graph_digest="",
        tools=artifact.tools(),
    )
    return artifact.save(folder / "layer.onnx", manifest, content, durable=False)


def exact(geometry: Geometry, noise: NDArray[np.float32]) -> NDArray[np.float64]:
    """The layer in float64."""
    import torch
    import torch.nn.functional as F

    conv = geometry.convolution()
    x = torch.from_numpy(noise.astype(np.float64).reshape(geometry.shape))
    flat = len(conv.kernel) == 1
    weight = exchanged(conv.weight, conv.group) if conv.transposed else conv.weight
    tensors = (x, torch.from_numpy(weight), torch.from_numpy(conv.bias))
    rest: dict[str, Any] = {
        "stride": conv.strides,
        "dilation": conv.dilations,
        "groups": conv.group,
    }
    if conv.transposed:
        ends = tuple(b - a for b, a in zip(conv.before, conv.after, strict=True))
        transposed: Any = F.conv_transpose1d if flat else F.conv_transpose2d
        y = transposed(*tensors, padding=conv.before, output_padding=ends, **rest)
    else:
        assert conv.before == conv.after, "the networks pad alike on both sides"
        convolve: Any = F.conv1d if flat else F.conv2d
        y = convolve(*tensors, padding=conv.before, **rest)
    if geometry.slope is not None:
        y = F.leaky_relu(y, geometry.slope)
    found: NDArray[np.float64] = y.numpy()
    return found
