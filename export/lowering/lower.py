"""A finished graph with some of its convolutions in other forms.

The graph is written anew, node by node, so that what two rewrites share is written once.
"""

from collections.abc import Iterable, Mapping

import onnx_ir as ir
from onnx_ir.passes.common import RemoveUnusedNodesPass

from export.builder import shape_of
from export.lowering.convolution import is_convolution, read
from export.lowering.layouts import Graph
from export.lowering.rule import Form, write_form
from export.operators.table import kind_of
from export.remade import REAL, in_type, remade, same_input
from hifigan_ref.errors import HifiError


def lower(
    model: ir.Model, forms: Mapping[str, Form], real: ir.DataType = ir.DataType.FLOAT
) -> ir.Model:
    """The same function of the same inputs.

    Args:
        model: as ``to_onnx`` makes it.
        forms: of convolutions, by name of their node; others stay as they are.
        real: type of weights and activations.

    Raises:
        HifiError: a rewrite refuses a convolution, or there is none of that name.
    """
    check_known(model, forms)
    graph = Graph(real)
    old = model.graph
    known: dict[ir.Value, ir.Value] = {}
    for value in old.inputs:
        known[value] = same_input(value, real)
    for node in old:
        known[node.outputs[0]] = _write(graph, node, forms, known)
    outputs = []
    for value in old.outputs:
        new = known[value]
        new.name, new.shape = value.name, value.shape
        outputs.append(new)
    lowered = remade(model, graph, [known[value] for value in old.inputs], outputs)
    RemoveUnusedNodesPass()(lowered)
    return lowered


def check_known(model: ir.Model, forms: Iterable[str]) -> None:
    """Raises HifiError where a layer is named that the network does not have."""
    there = [node.name for node in model.graph if is_convolution(node)]
    unknown = sorted(set(forms) - set(there))
    if unknown:
        raise HifiError(
            f"the lowering plan names {', '.join(unknown)}, which {model.graph.name} does not "
            f"have: it has {', '.join(map(str, there))}"
        )


def _write(
    graph: Graph,
    node: ir.Node,
    forms: Mapping[str, Form],
    known: Mapping[ir.Value, ir.Value],
) -> ir.Value:
    name = node.name or ""
    if is_convolution(node):
        assert node.inputs[0] is not None
        return write_form(graph, forms.get(name, ()), read(node), known[node.inputs[0]])
    inputs = [
        value if value is None else known[value] if value in known else _constant(graph, value)
        for value in node.inputs
    ]
    (output,) = node.outputs
    attributes = {key: attribute.value for key, attribute in node.attributes.items()}
    alone = inputs[0] if len(inputs) == 1 else None
    if kind_of(node) == "elementwise" and alone is not None and output.dtype in REAL:
        return graph.activate(name, node.op_type, alone, attributes)
    dtype = in_type(output, graph.real)
    return graph.op(name, node.op_type, inputs, shape_of(output), attributes, dtype)


def _constant(graph: Graph, value: ir.Value) -> ir.Value:
    assert value.name is not None and value.const_value is not None
    array = value.const_value.numpy()
    if value.dtype in REAL:
        return graph.weight(value.name, array)
    return graph.ints(*array.tolist()) if array.ndim == 1 else graph.constant(value.name, array)
