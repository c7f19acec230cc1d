"""int8 layers that read every item of a batch at one loudness: exact in float32, finer in int8.

A range serves one loudness: louder speech leaves it, and quieter speech is lost between its steps.
What a layer reads grows about as the waveform does, because convolutions and LeakyReLU let a
positive factor through. So an int8 layer reads x / s and what it computes is multiplied by s again,
where s is the loudness of the waveform, for each item (no less than ``QUIETEST``), or of the louder
of two that it is made of. Its bias, which does not grow, is added after that.

    conv(x) + bias = s conv(x / s) + bias,    s = (mean over T of y^4)^(1/4)

The fourth power follows the loud part of an item that is silent elsewhere; a root mean square falls
with each silent sample, and the loud part leaves the range. This is dynamic quantization with one
scale per item, in operators that every runtime has.
"""

from collections.abc import Collection

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from export.builder import Extent, shape_of
from export.precision.calibration import Level
from export.precision.equalize import numbers, put
from export.precision.feeds import joined

QUIETEST = 0.01  # beside full scale: 40 dB below


def loudness_of(stretches: Level) -> NDArray[np.float64]:
    """s of each stretch, (n, 1, T) -> (n,)."""
    fourth = np.square(np.square(stretches, dtype=np.float64)).mean(axis=(1, 2))
    loudness: NDArray[np.float64] = np.maximum(np.sqrt(np.sqrt(fourth)), QUIETEST)
    return loudness


def rescale(model: ir.Model, nodes: Collection[str]) -> ir.Model:
    """The same function, in which these convolutions read items of one loudness.

    Their own biases are zero then, for ``correct`` to fill.

    Args:
        model: plain, in float32, of waveforms (N, 1, T): it ``hears``.
        nodes: names of the convolutions.
    """
    model = model.clone()
    chosen = [node for node in model.graph if node.op_type == "Conv" and node.name in nodes]
    if chosen:
        scales = _Scales(model.graph)
        for node in chosen:
            _rescale(scales, node)
    return model


class _Scales:
    """s and 1 / s of a graph, in the rank of whoever multiplies by them."""

    def __init__(self, graph: ir.Graph) -> None:
        self.graph = graph
        first = next(iter(graph))
        self._first = first
        one_batch = joined(graph)
        each = [self._of(value) for value in graph.inputs]
        if len(each) == 1:
            self._s = each[0]
        elif one_batch:
            self._s = self._op("loudness", "Concat", each, axis=0)
        else:
            self._s = self._op("loudness", "Max", each)
        self._known = {("s", 3): self._s, ("r", 3): self._op("loudness.r", "Reciprocal", [self._s])}

    def times(
        self,
        kind: str,
        x: ir.Value,
        name: str,
        *,
        before: ir.Node | None = None,
        after: ir.Node | None = None,
    ) -> ir.Value:
        """x times ``s`` or its reciprocal ``r``, computed before or after a node."""
        made = ir.val(name, ir.DataType.FLOAT, x.shape)
        factor = self._in_rank(kind, len(shape_of(x)))
        node = ir.Node("", "Mul", [factor, x], outputs=[made], name=name)
        if before is not None:
            self.graph.insert_before(before, node)
        if after is not None:
            self.graph.insert_after(after, node)
        return made

    def constant(self, name: str, array: NDArray[np.generic]) -> ir.Value:
        """An initializer, which is there once."""
        if name in self.graph.initializers:
            return self.graph.initializers[name]
        tensor = ir.tensor(array, name=name)
        kind = ir.TensorType(tensor.dtype)
        value = ir.Value(name=name, type=kind, shape=ir.Shape(array.shape), const_value=tensor)
        self.graph.initializers.add(value)
        return value

    def _in_rank(self, kind: str, rank: int) -> ir.Value:
        if (kind, rank) not in self._known:
            sizes = self.constant(f"loudness.rank_{rank}", np.array([0, *[1] * (rank - 1)]))
            given = [self._known[kind, 3], sizes]
            name = f"loudness.{kind}_{rank}"
            self._known[kind, rank] = self._op(name, "Reshape", given, rank=rank)
        return self._known[kind, rank]

    def _of(self, wave: ir.Value) -> ir.Value:
        """s of each item: (N, 1, T) -> (N, 1, 1)."""
        name, shape = f"loudness.{wave.name}", shape_of(wave)
        square = self._op(f"{name}.square", "Mul", [wave, wave], shape=shape)
        fourth = self._op(f"{name}.fourth", "Mul", [square, square], shape=shape)
        mean = self._op(f"{name}.mean", "GlobalAveragePool", [fourth])
        root = self._op(f"{name}.root", "Sqrt", [self._op(f"{name}.roots", "Sqrt", [mean])])
        least = self.constant("loudness.least", np.array([QUIETEST], np.float32))
        return self._op(name, "Max", [root, least])

    def _op(
        self,
        name: str,
        kind: str,
        inputs: list[ir.Value],
        *,
        rank: int = 3,
        shape: "tuple[Extent, ...] | None" = None,
        axis: int | None = None,
    ) -> ir.Value:
        """A node before all others, of shape (N, 1, ...) unless told otherwise."""
        batch = shape_of(inputs[0])[0]
        if axis is not None:
            batch = batch * len(inputs) if isinstance(batch, int) else None
        made = ir.val(name, ir.DataType.FLOAT, ir.Shape(shape or (batch, *[1] * (rank - 1))))
        attributes = {} if axis is None else {"axis": axis}
        node = ir.node(kind, inputs, attributes, outputs=[made], name=name)
        self.graph.insert_before(self._first, node)
        return made


def _rescale(scales: _Scales, node: ir.Node) -> None:
    x, bias, (output,) = node.inputs[0], node.inputs[2], node.outputs
    assert x is not None and bias is not None, f"{node.name} has an input and a bias"
    name = output.name or ""
    node.replace_input_with(0, scales.times("r", x, f"{node.name}.even", before=node))
    users = tuple(output.uses())
    bias_value = numbers(bias)
    put(bias, np.zeros_like(bias_value))
    output.name = f"{node.name}.unit"
    usual = scales.times("s", output, f"{node.name}.usual", after=node)
    shaped = bias_value.reshape(-1, *[1] * (len(shape_of(output)) - 2)).astype(np.float32)
    offset = scales.constant(f"{node.name}.offset", shaped)
    made = ir.val(name, ir.DataType.FLOAT, output.shape)
    add = ir.Node("", "Add", [usual, offset], outputs=[made], name=f"{node.name}.biased")
    scales.graph.insert_after(usual.producer() or node, add)
    for use in users:
        use.node.replace_input_with(use.idx, made)
    for place, value in enumerate(scales.graph.outputs):
        if value is output:
            scales.graph.outputs[place] = made
