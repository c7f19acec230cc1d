"""Channels of one loudness in front of int8 layers: exact in float32, finer in int8.

One scale serves all channels of what a layer reads, so that the loudest decides how coarsely the
quietest is rounded. Channel c of the layer before is multiplied by k_c and divided by it again in
the layer's own weights: LeakyReLU lets a positive factor through. Whoever else reads the tensor, as
a feature map, gets it divided by k (Nagel et al. 2019, arXiv 1906.04721, who choose k by the
weights).

k_c = r_c^-a for the root mean square r_c, where a makes the error of what the layer computes least:
rounding of what it reads, and of its weights, whose channels spread as those of the tensor narrow.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from export.builder import shape_of
from export.precision.ranges import best_range
from export.targets import Activations

EXPONENTS = (0.0, 0.25, 0.5, 0.75, 1.0)
QUIETEST = 1e-3  # of the loudest channel: below it, all are alike
WEIGHT_STEPS = 127

Array = NDArray[np.float64]


@dataclass(frozen=True)
class _Link:
    """A layer and the one before it, with nothing but LeakyReLU between.

    Attributes:
        before: its convolution.
        tensor: what the layer reads.
        layer: its convolution.
    """

    before: ir.Node
    tensor: ir.Value
    layer: ir.Node


def factors(
    model: ir.Model, held: Mapping[str, Array], activations: Activations
) -> dict[str, Array]:
    """k, (C,), for each layer that gains from it, by name.

    Args:
        model: plain, in float32.
        held: what layers read on calibration audio, (S, C, n), by name of the layer.
        activations: type that is quantized to.
    """
    links = [link for link in map(_link, model.graph) if link and link.layer.name in held]
    found = {link.layer.name or "": _scales(link, held, activations) for link in links}
    return {name: k for name, k in found.items() if (k != 1).any()}


def equalize(model: ir.Model, scales: Mapping[str, Array]) -> ir.Model:
    """The same function, where some layers read channels that are more alike.

    Args:
        model: plain, in float32.
        scales: k by name of those layers.
    """
    model = model.clone()
    for link in filter(None, map(_link, tuple(model.graph))):
        k = scales.get(link.layer.name or "")
        if k is not None:
            _apply(model.graph, link, k)
    return model


def _link(node: ir.Node) -> _Link | None:
    if node.op_type != "Conv" or node.inputs[0] is None:
        return None
    activation = node.inputs[0].producer()
    if activation is None or activation.op_type != "LeakyRelu" or activation.inputs[0] is None:
        return None
    before = activation.inputs[0].producer()
    alone = len(activation.inputs[0].uses()) == 1
    if before is None or before.op_type != "Conv" or not alone:
        return None
    return _Link(before, node.inputs[0], node)


def _scales(link: _Link, held: Mapping[str, Array], activations: Activations) -> Array:
    """k, (C,)."""
    x = held[link.layer.name or ""]
    power = np.square(x).mean(axis=(0, 2))
    power = np.maximum(power, max(power.max(), np.finfo(float).tiny) * QUIETEST**2)
    weight = grouped(link.layer)
    tried = [(np.mean(power) / power) ** (exponent / 2) for exponent in EXPONENTS]
    return min(tried, key=lambda k: _error(k, x, power, weight, activations))


def _error(k: Array, x: Array, power: Array, weight: Array, activations: Activations) -> float:
    """Noise power of what the layer computes, summed over its channels, up to a common factor.

    Args:
        k: (C,).
        x: (S, C, n).
        power: mean square of each channel, (C,).
        weight: (G, C_out / G, C / G, taps).
        activations: type that x is quantized to.
    """
    groups, _, each, taps = weight.shape
    scaled = x * k[:, None]
    rounding = np.square(best_range(scaled, activations).rounded(scaled) - scaled).mean()
    of_input = rounding * (np.square(weight).sum(axis=(1, 3)).reshape(-1) / np.square(k)).sum()
    narrowed = weight / k.reshape(groups, 1, each, 1)
    steps = np.abs(narrowed).max(axis=(2, 3)) / WEIGHT_STEPS  # (G, C_out / G)
    read = (np.square(k) * power).reshape(groups, each).sum(axis=1) * taps  # (G,)
    of_weights = (np.square(steps) / 12 * read[:, None]).sum()
    return float(of_input + of_weights)


def grouped(node: ir.Node) -> Array:
    """Weights of a convolution, (G, C_out / G, C_in / G, taps)."""
    weight, groups = numbers(node.inputs[1]), node.attributes.get_int("group", 1)
    return weight.reshape(groups, weight.shape[0] // groups, weight.shape[1], -1)


def _apply(graph: ir.Graph, link: _Link, k: Array) -> None:
    before = numbers(link.before.inputs[1])
    put(link.before.inputs[1], before * k.reshape(-1, *[1] * (before.ndim - 1)))
    if len(link.before.inputs) > 2 and link.before.inputs[2] is not None:
        put(link.before.inputs[2], numbers(link.before.inputs[2]) * k)
    weight, split = numbers(link.layer.inputs[1]), grouped(link.layer)
    groups, _, each, _ = split.shape
    put(link.layer.inputs[1], (split / k.reshape(groups, 1, each, 1)).reshape(weight.shape))
    _give_back(graph, link, k)


def _give_back(graph: ir.Graph, link: _Link, k: Array) -> None:
    """What everybody but the layer reads."""
    tensor, name = link.tensor, link.tensor.name or ""
    readers = [use for use in tensor.uses() if use.node is not link.layer]
    if not readers and not tensor.is_graph_output():
        return
    shape = (-1, *[1] * (len(shape_of(tensor)) - 2))
    inverse = ir.tensor((1 / k).reshape(shape).astype(np.float32), name=f"{name}.loudness")
    factor = ir.Value(
        name=inverse.name,
        type=ir.TensorType(ir.DataType.FLOAT),
        shape=ir.Shape(inverse.shape.numpy()),
        const_value=inverse,
    )
    graph.initializers.add(factor)
    producer = _producer(tensor)
    tensor.name = producer.name = f"{name}.even"
    usual = ir.val(name, ir.DataType.FLOAT, tensor.shape)
    node = ir.Node("", "Mul", [tensor, factor], outputs=[usual], name=f"{name}.usual")
    graph.insert_after(producer, node)
    for use in readers:
        use.node.replace_input_with(use.idx, usual)
    for place, output in enumerate(graph.outputs):
        if output is tensor:
            graph.outputs[place] = usual


def _producer(value: ir.Value) -> ir.Node:
    node = value.producer()
    assert node is not None, f"{value.name} is computed"
    return node


def numbers(value: ir.Value | None) -> Array:
    """A constant."""
    assert value is not None and value.const_value is not None, "weights are constants"
    return value.const_value.numpy().astype(np.float64)


def put(value: ir.Value | None, array: Array) -> None:
    """Another constant in its place."""
    assert value is not None
    value.const_value = ir.tensor(np.ascontiguousarray(array, dtype=np.float32), name=value.name)
