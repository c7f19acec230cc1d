"""A graph of which some layers hold and compute half the bits: fp16 or bf16, by casts.

1. A convolution, its weights and its bias are of the type of its layer.
2. What follows it, up to the next one, is of that type too.
3. What comes before the first convolutions is of their type where they agree, else float32.
4. Inputs and outputs are float32, or of the one type of all layers.
5. Q/DQ nodes, and what they stand around, stay as they are.
"""

from collections.abc import Mapping
from functools import cached_property

import numpy as np
import onnx_ir as ir
from onnx_ir.passes.common import RemoveUnusedNodesPass

from export.builder import Builder, shape_of
from export.operators.table import is_weighted
from export.precision.budget import GRAPH_PRECISIONS, PRECISIONS, GraphPrecision
from export.remade import REAL, in_type, remade, same_input
from hifigan_ref.errors import HifiError

TYPES: Mapping[GraphPrecision, ir.DataType] = {
    each: ir.DataType[PRECISIONS[each].between] for each in GRAPH_PRECISIONS
}
QUANTIZERS = ("QuantizeLinear", "DequantizeLinear")


def narrow(
    model: ir.Model, nodes: Mapping[str, GraphPrecision], io: ir.DataType = ir.DataType.FLOAT
) -> ir.Model:
    """The graph with each convolution in its precision.

    Args:
        model: in float32, perhaps with Q/DQ.
        nodes: precision by name of each convolution.
        io: type of inputs and outputs.

    Raises:
        HifiError: a weight is beyond the range of its type.
    """
    return _Narrowing(model, nodes, io).model()


class _Narrowing:
    """One graph being written anew."""

    def __init__(self, old: ir.Model, nodes: Mapping[str, GraphPrecision], io: ir.DataType) -> None:
        self._old = old
        self._io = io
        self._layers = {name: TYPES[precision] for name, precision in nodes.items()}
        self._builder = Builder()
        self._known: dict[ir.Value, ir.Value] = {}

    def model(self) -> ir.Model:
        old = self._old.graph
        for value in old.inputs:
            self._known[value] = same_input(value, self._io)
        for node in old:
            self._write(node)
        outputs = [self._output(value) for value in old.outputs]
        made = remade(self._old, self._builder, [self._known[v] for v in old.inputs], outputs)
        RemoveUnusedNodesPass()(made)
        return made

    def _write(self, node: ir.Node) -> None:
        real = self._type(node)
        (output,) = node.outputs
        attributes = {key: attribute.value for key, attribute in node.attributes.items()}
        inputs = [None if v is None else self._input(node, v, real) for v in node.inputs]
        self._known[output] = self._builder.op(
            output.name or "",
            node.op_type,
            inputs,
            shape_of(output),
            attributes,
            in_type(output, real),
            node.name,
        )

    def _type(self, node: ir.Node) -> ir.DataType:
        """Of what it computes."""
        if node.op_type in QUANTIZERS:
            return ir.DataType.FLOAT
        if is_weighted(node):
            return self._layers[node.name or ""]
        if node.outputs[0] in self._before:
            return self._before[node.outputs[0]]
        found = [self._known[v].dtype for v in node.inputs if v in self._known]
        real = [each for each in found if each in REAL]
        return real[0] if real else ir.DataType.FLOAT

    def _input(self, node: ir.Node, value: ir.Value, real: ir.DataType) -> ir.Value:
        if value not in self._known:
            assert value.const_value is not None, f"{value.name} is no constant"
            return self._constant(node, value, real)
        known = self._known[value]
        if node.op_type == "Shape" or known.dtype not in REAL:
            return known
        return self._cast(known, real)

    def _cast(self, value: ir.Value, to: ir.DataType) -> ir.Value:
        if value.dtype == to:
            return value
        name = f"{value.name}.{to.name.lower()}"
        return self._builder.op(name, "Cast", [value], shape_of(value), {"to": int(to)}, to)

    def _constant(self, node: ir.Node, value: ir.Value, real: ir.DataType) -> ir.Value:
        assert value.name is not None and value.const_value is not None
        array = value.const_value.numpy()
        if value.dtype not in REAL or node.op_type in QUANTIZERS:
            return self._builder.constant(value.name, array)
        with np.errstate(over="ignore"):
            rounded = array.astype(real.numpy())
        if not np.isfinite(rounded.astype(np.float32)).all():
            raise HifiError(
                f"layer {node.name}: its weights reach {np.abs(array).max():.3g}, beyond "
                f"{real.name.lower()}: keep it in fp32 with a precision plan, or choose bf16"
            )
        return self._builder.constant(value.name, rounded)

    def _output(self, value: ir.Value) -> ir.Value:
        """Under its own name, whatever the value that is cast to it was called."""
        known = self._known[value]
        made = self._cast(known, self._io) if known.dtype in REAL else known
        if made is not known:
            known.name = f"{known.name}.{(known.dtype or self._io).name.lower()}"
        made.name, made.shape = value.name, value.shape
        return made

    @cached_property
    def _before(self) -> dict[ir.Value, ir.DataType]:
        """Types of what no convolution comes before."""
        graph = self._old.graph
        first = set(graph.inputs)
        for node in graph:
            if not is_weighted(node) and any(v in first for v in node.inputs):
                first.update(node.outputs)
        readers: dict[ir.Value, set[ir.DataType]] = {}
        for node in reversed(list(graph)):
            for value in node.inputs:
                if value not in first or value is None:
                    continue
                told = readers.setdefault(value, set())
                if is_weighted(node):
                    told.add(self._layers[node.name or ""])
                elif node.op_type in QUANTIZERS:
                    told.add(ir.DataType.FLOAT)
                elif node.op_type != "Shape":
                    told |= readers.get(node.outputs[0], set())
        return {
            value: types.pop() if len(types) == 1 else ir.DataType.FLOAT
            for value, types in readers.items()
        }
