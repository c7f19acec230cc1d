"""What a finished graph must be, checked on the graph itself after every export.

1. The default domain alone, at exactly the opset that was asked for.
2. Inputs with the promised names, type and axes; outputs of the same type and batch. An output that
   is a multiple of an axis is as long as that, as onnx's own inference finds it.
3. Only operations of the networks themselves: what normalises a weight has no place here. What
   rewrites and precisions add is in the table of operators.
4. Weights and biases of every convolution are initializers.
5. Reflect pads: with dynamic length one for each period; with fixed length one for each amount that
   is needed, which periods may share, and it is constant.
6. One fold for each period.
7. No text that describes the machine it was made on.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial

import onnx_ir as ir

from export.builder import shape_in_graph, shape_of
from export.multiples import multiples
from export.operators import table
from export.opset import stated_opset
from export.precision.budget import GraphPrecision
from export.precision.held import held
from export.precision.layers import layer_of
from export.precision.narrow import TYPES
from export.precision.plan import FP32
from export.request import ExportRequest
from export.spectrograms import KEY, recipe_of
from hifigan_ref.errors import HifiError
from hifigan_ref.network import SAMPLES, Port, Sizes

OPERATIONS = frozenset(
    {"AveragePool", "Concat", "Conv", "LeakyRelu", "Pad", "Reshape", "Slice"}
    | {"Gather", "Mod", "Neg", "Shape"}  # of lengths
)


class ContractError(HifiError):
    """A finished graph is not what was promised."""


def check_graph(model: ir.Model, request: ExportRequest) -> None:
    """Check a graph against its request.

    Raises:
        ContractError: with every clause that is broken.
    """
    _check(_CLAUSES, model, replace(request, precision=FP32))


def check_lowered(model: ir.Model, request: ExportRequest) -> None:
    """Check what rewrites left of a graph that was checked: how it pads and folds is theirs.

    Raises:
        ContractError: with every clause that is broken.
    """
    _check(_OF_LOWERED, model, replace(request, precision=FP32))


def check_precise(
    model: ir.Model, request: ExportRequest, layers: Mapping[str, GraphPrecision]
) -> None:
    """Check what casts and Q/DQ left: each convolution computes in its layer's precision.

    Raises:
        ContractError: with every clause that is broken.
    """
    _check((*_OF_PRECISIONS, partial(_precisions, layers)), model, request)


def check_part(
    model: ir.Model, request: ExportRequest, layers: Mapping[str, GraphPrecision] | None = None
) -> None:
    """Check a part of a graph, whose inputs and outputs are its own.

    Raises:
        ContractError: with every clause that is broken.
    """
    clauses: tuple[Clause, ...] = (_opset, _known_operations, _texts)
    _check(clauses if layers is None else (*clauses, partial(_precisions, layers)), model, request)


def _check(clauses: "tuple[Clause, ...]", model: ir.Model, request: ExportRequest) -> None:
    broken = [fault for clause in clauses for fault in clause(model, request)]
    if broken:
        raise ContractError(
            f"the exported {request.variant} breaks its contract: {'; '.join(broken)}: "
            "nothing was written; report this with the command line"
        )


def _opset(model: ir.Model, request: ExportRequest) -> list[str]:
    stated = stated_opset(model)
    faults = [] if stated == request.opset else [f"opset is {stated}, expected {request.opset}"]
    if model.functions:
        faults.append("the file holds functions")
    return faults


def _inputs(model: ir.Model, request: ExportRequest) -> list[str]:
    wanted = [
        (port.name, _outside(request), shape_in_graph(port, request.sizes), port.recipe)
        for port in request.signature.inputs
    ]
    found = [(v.name, v.dtype, shape_of(v), recipe_of(v)) for v in model.graph.inputs]
    return [] if found == wanted else [f"inputs are {found}, expected {wanted}"]


def _outputs(model: ir.Model, request: ExportRequest) -> list[str]:
    found = {value.name: value for value in model.graph.outputs}
    wanted = {port.name: port for port in request.signature.outputs}
    if list(found) != list(wanted):
        return [f"outputs are {list(found)}, expected {list(wanted)}"]
    return [
        f"output {name} is {value.dtype} {shape_of(value)}"
        for name, value in found.items()
        if value.dtype != _outside(request) or not _fits(value, wanted[name or ""], request.sizes)
    ]


def _fits(value: ir.Value, port: Port, sizes: Sizes) -> bool:
    """Whether each length that the signature knows is that of the graph."""
    wanted, found = shape_in_graph(port, sizes), shape_of(value)
    pairs = zip(wanted, found, strict=False)
    return len(wanted) == len(found) and all(each in (None, there) for each, there in pairs)


def _outside(request: ExportRequest) -> ir.DataType:
    """Type of inputs and outputs."""
    same = request.precision.io == "same"
    return TYPES[request.precision.base] if same else ir.DataType.FLOAT


def _operations(model: ir.Model, request: ExportRequest) -> list[str]:
    known = request.variant.folds is not None
    return _foreign(model, OPERATIONS if known else frozenset(table.OPERATIONS))


def _known_operations(model: ir.Model, request: ExportRequest) -> list[str]:
    del request
    return _foreign(model, frozenset(table.OPERATIONS))


def _foreign(model: ir.Model, allowed: frozenset[str]) -> list[str]:
    foreign = {node.op_type for node in model.graph} - allowed
    foreign |= {node.domain for node in model.graph if node.domain}
    return [f"foreign operations {sorted(foreign)}"] if foreign else []


def _weights(model: ir.Model, request: ExportRequest) -> list[str]:
    del request
    return [
        f"{node.name}: {role} is computed in the graph"
        for node in model.graph
        if table.is_weighted(node)
        for role, value in zip(("weight", "bias"), node.inputs[1:], strict=False)
        if value is None or not value.is_initializer()
    ]


def _precisions(
    layers: Mapping[str, GraphPrecision], model: ir.Model, request: ExportRequest
) -> list[str]:
    """What each convolution multiplies, and that int8 layers read int8 on both sides."""
    del request
    faults = []
    for name, found in held(model).items():
        layer = layer_of(name, layers)
        asked = "none" if layer is None else layers[layer]
        if found != asked:
            faults.append(f"{name} computes in {found}, not {asked}")
    return faults


def _pads(model: ir.Model, request: ExportRequest) -> list[str]:
    pads = _nodes(model, "Pad")
    periods, length = request.variant.folds, request.sizes.get(SAMPLES)
    if periods is None:
        return []
    expected = len(periods) if length is None else len({-length % p for p in periods} - {0})
    faults = []
    if len(pads) != expected:
        faults.append(f"{len(pads)} pads, expected {expected}")
    for node in pads:
        if node.attributes.get_string("mode", "constant") != "reflect":
            faults.append(f"{node.name} does not reflect")
        amounts = node.inputs[1]
        constant = amounts is not None and amounts.is_initializer()
        if constant != (length is not None):
            faults.append(f"{node.name} pads by a {'constant' if constant else 'computed'} amount")
    return faults


def _folds(model: ir.Model, request: ExportRequest) -> list[str]:
    found = []
    for node in _nodes(model, "Reshape"):
        target = node.inputs[1]
        tensor = None if target is None else target.const_value
        if tensor is not None and len(tensor.numpy()) == 4:
            found.append(int(tensor.numpy()[3]))
    if request.variant.folds is None:
        return []
    wanted = sorted(request.variant.folds)
    return [] if sorted(found) == wanted else [f"folds by {sorted(found)}, expected {wanted}"]


def _texts(model: ir.Model, request: ExportRequest) -> list[str]:
    del request
    holders = [model, model.graph, *model.graph]
    constants = list(model.graph.initializers.values())
    tensors = [value.const_value for value in constants if value.const_value is not None]
    made = [value for node in model.graph for value in node.outputs]
    values = [*model.graph.inputs, *constants, *tensors, *made]
    told = [h for h in [*holders, *values] if h.doc_string or set(h.metadata_props) - {KEY}]
    return [f"{len(told)} descriptions left in the graph"] if told else []


def _nodes(model: ir.Model, op_type: str) -> list[ir.Node]:
    return [node for node in model.graph if node.op_type == op_type]


Clause = Callable[[ir.Model, ExportRequest], list[str]]

_CLAUSES: tuple[Clause, ...] = (
    _opset,
    _inputs,
    _outputs,
    multiples,
    _operations,
    _weights,
    _pads,
    _folds,
    _texts,
)

_OF_PRECISIONS: tuple[Clause, ...] = (
    _opset,
    _inputs,
    _outputs,
    _known_operations,
    _texts,
)

_OF_LOWERED: tuple[Clause, ...] = (
    _opset,
    _inputs,
    _outputs,
    _known_operations,
    _weights,
    _texts,
)
