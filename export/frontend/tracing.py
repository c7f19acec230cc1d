"""A module as an ONNX graph: named tensors in, named tensors out.

The module runs on symbols instead of numbers: a branch on a dynamic length is an error, so none can
be frozen. Whatever it computes of parameters alone is computed at once, by PyTorch.
"""

import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import onnx_ir as ir
from onnx_ir.passes.common import RemoveUnusedNodesPass
from torch import nn

from export.artifact import PRODUCER
from export.builder import Builder, Extent, shape_of
from export.frontend.symbol import Symbol
from export.frontend.tracer import Tracer, place_of
from export.operators.table import is_weighted
from export.opset import ir_version
from hifigan_ref.errors import HifiError, in_one_line
from hifigan_ref.version import VERSION

Shape = tuple[Extent, ...]


def trace(
    function: nn.Module,
    inputs: Mapping[str, Shape],
    opset: int,
    name: str,
    rename: Callable[[str], str] = str,
    outputs: Sequence[str] = (),
) -> ir.Model:
    """The graph of a module, in float32.

    Args:
        function: called with the inputs by name; returns a dict of tensors, or a tensor, or
            several in a tuple or a list.
        inputs: shapes by name, in order: numbers, and names of dynamic axes.
        opset: exact version of ONNX's default domain.
        name: of the graph.
        rename: the path of a layer or a parameter as the graph names it.
        outputs: names in order, where the module does not give them.

    Raises:
        HifiError: an operation has no ONNX form, or the module needs a number that is known only
            when the graph runs: with file and line.
    """
    version = ir_version(opset)
    tracer = Tracer(function, opset, rename)
    values = {each: ir.val(each, ir.DataType.FLOAT, shape) for each, shape in inputs.items()}
    for each in values:
        tracer.name(each)
    made = _run(tracer, function, {each: Symbol(tracer, v) for each, v in values.items()})
    named = _named(made, outputs)
    graph = ir.Graph(
        list(values.values()),
        _outputs(tracer.graph, named, values),
        nodes=tracer.graph.nodes,
        initializers=tracer.graph.initializers,
        opset_imports={"": opset},
        name=name,
    )
    model = ir.Model(graph, ir_version=version, producer_name=PRODUCER, producer_version=VERSION)
    RemoveUnusedNodesPass()(model)
    return model


def _run(tracer: Tracer, function: nn.Module, inputs: Mapping[str, Symbol]) -> Any:
    try:
        inspect.signature(function.forward).bind(**inputs)
    except TypeError as error:
        raise HifiError(
            f"{_class(function)}.forward{inspect.signature(function.forward)} was given "
            f"{', '.join(inputs)}: {in_one_line(error)}; name the inputs as it does"
        ) from None
    try:
        with tracer.layers():
            return function(**inputs)
    except HifiError as error:
        raise type(error)(f"{place_of(error)}{error}") from None
    # Whatever the module stumbles over: its line is what a user can change.
    except Exception as error:
        raise HifiError(
            f"{place_of(error)}{type(error).__name__}: {in_one_line(error)}; {_class(function)} is "
            "followed with symbols in the place of tensors: write that line with tensors alone"
        ) from error


def _class(function: nn.Module) -> str:
    return type(function).__name__


def _named(made: Any, names: Sequence[str]) -> dict[str, Symbol]:
    if not isinstance(made, Mapping):
        several = list(made) if isinstance(made, list | tuple) else [made]
        if len(several) != len(names):
            raise HifiError(
                f"the module returns {len(several)} tensors, and {len(names)} outputs are named: "
                "name each, or return a dict"
            )
        made = dict(zip(names, several, strict=True))
    for name, value in made.items():
        if not isinstance(name, str) or not isinstance(value, Symbol):
            raise HifiError(
                f"output {name!r} is {type(value).__name__}: return a dict of names and tensors "
                "that are computed from the inputs"
            )
    if not made:
        raise HifiError("the module returns nothing: return a dict of names and tensors")
    return dict(made)


def _outputs(
    graph: Builder, named: Mapping[str, Symbol], inputs: Mapping[str, ir.Value]
) -> list[ir.Value]:
    """The values under their names; an input, or what has a name already, is copied."""
    taken: list[ir.Value] = list(inputs.values())
    for name, symbol in named.items():
        if name in inputs:
            raise HifiError(f"{name} is an input and an output: choose another name for one")
        value = symbol.value
        while value in taken:
            value = graph.op(f"{name}.copy", "Identity", [value], shape_of(value))
        taken.append(value)
    found = taken[len(inputs) :]
    layers = {node.name for node in graph.nodes if is_weighted(node)}  # which keep their names
    for each in graph.nodes:
        (value,) = each.outputs
        if value.name in named and value not in found:
            value.name = f"{value.name}.inner"
            each.name = each.name if each.name in layers else value.name
    for name, value in zip(named, found, strict=True):
        value.name, node = name, value.producer()
        if node is not None and node.name not in layers and name not in layers:
            node.name = name
    return found
