"""How each value of a graph lies along time, and what each node reads of its inputs."""

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from math import lcm

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from export.builder import shape_of
from export.layers import shaped
from export.operators.reach import Reach, Reaching, Shape, Step, pointwise
from export.operators.table import operation_of
from hifigan_ref.errors import HifiError

LENGTH = 1 << 12  # of time, at which shapes are looked at


class NoTimeError(HifiError):
    """A graph in which every length is fixed."""


@dataclass(frozen=True)
class Field:
    """A graph along time.

    Attributes:
        model: the graph, in which every shape is a number.
        axes: of time in each value that has it, by the value's name.
        rates: elements of each for each of the inputs' time.
        reaches: what each node reads, by the name of its first output.
        unit: name of the inputs' axis.
    """

    model: ir.Model
    axes: Mapping[str, int]
    rates: Mapping[str, Fraction]
    reaches: Mapping[str, Reach]
    unit: str

    @property
    def grain(self) -> int:
        """Fewest elements of the inputs after which everything repeats."""
        return lcm(*(rate.denominator for rate in self.rates.values()))


def time_axis(model: ir.Model) -> str:
    """Name of the one axis of the inputs that is no batch.

    Raises:
        NoTimeError: there is none.
        HifiError: there are several.
    """
    shapes = [shape_of(value) for value in model.graph.inputs]
    batches = {shape[0] for shape in shapes if shape}
    named = [each for shape in shapes for each in shape[1:] if isinstance(each, str)]
    found = list(dict.fromkeys(name for name in named if name not in batches))
    if not found:
        raise NoTimeError(f"{model.graph.name}: every length is fixed: a stream needs one of any")
    if len(found) > 1:
        raise HifiError(f"{model.graph.name} has {', '.join(found)}: a stream has one axis of time")
    return found[0]


def field_of(model: ir.Model, length: int = LENGTH) -> Field:
    """Follow time through a graph.

    Args:
        model: of operations in the table.
        length: of time, at which shapes are looked at.

    Raises:
        HifiError: a node reads the whole of time, or an operation or its reach is not known.
    """
    unit = time_axis(model)
    names = {d for v in model.graph.inputs for d in shape_of(v) if isinstance(d, str)}
    known = shaped(model, {**dict.fromkeys(names, 1), unit: length})
    axes: dict[str, int] = {}
    rates: dict[str, Fraction] = {}
    reaches: dict[str, Reach] = {}
    for old, new in zip(model.graph.inputs, known.graph.inputs, strict=True):
        if unit in shape_of(old):
            axes[_name(new)], rates[_name(new)] = shape_of(old).index(unit), Fraction(1)
    for node in known.graph:
        given = {_name(v) for v in node.inputs if v is not None} & set(axes)
        if not given:
            continue
        reach = _reaching(node)(_step(node, axes))
        theirs = {rates[name] for name in given}
        if len(theirs) > 1:
            raise HifiError(f"{node.name} ({node.op_type}) combines signals of different rates")
        reaches[_name(node.outputs[0])] = reach
        for value in node.outputs:
            axes[_name(value)], rates[_name(value)] = reach.axis, theirs.copy().pop() * reach.rate
    return Field(known, axes, rates, reaches, unit)


def _reaching(node: ir.Node) -> Reaching:
    row = operation_of(node)
    if row.reach is not None:
        return row.reach
    if row.kind == "elementwise":
        return pointwise
    raise HifiError(
        f"{node.name} ({node.op_type}): what it reads along time is not known: its row in "
        "export/operators lacks a reach"
    )


def _step(node: ir.Node, axes: Mapping[str, int]) -> Step:
    return Step(
        node,
        tuple(() if v is None else _shape(v, node) for v in node.inputs),
        tuple(None if v is None else axes.get(_name(v)) for v in node.inputs),
        tuple(_constant(v) for v in node.inputs),
        _shape(node.outputs[0], node),
    )


def _shape(value: ir.Value, node: ir.Node) -> Shape:
    if value.const_value is not None:
        return tuple(value.const_value.shape.numpy())
    if value.shape is None or not value.shape.is_static():
        raise HifiError(f"{node.name} ({node.op_type}): the shape of {value.name} is not known")
    return tuple(value.shape.numpy())


def _constant(value: ir.Value | None) -> NDArray[np.generic] | None:
    return None if value is None or value.const_value is None else value.const_value.numpy()


def _name(value: ir.Value) -> str:
    return str(value.name)
