"""Collects the nodes and initializers of one ONNX graph, writing nothing twice."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from hifigan_ref.network import Axis, Dimension, Port, Sizes, length_of

Extent = int | str | None
"""One axis of a shape: fixed, dynamic with a name, or dynamic without one."""

Attribute = int | float | str | Sequence[int]


@dataclass(frozen=True)
class Dim:
    """A length known only when the graph runs.

    Attributes:
        value: int64 tensor of shape (1,).
        axis: name of the axis that is so long, or None.
    """

    value: ir.Value
    axis: str | None = None


@dataclass(frozen=True, eq=False)
class Constant:
    """Numbers that do not depend on the inputs: a parameter, a buffer, or computed from them.

    Attributes:
        name: of the initializer that they become where they are used.
        array: of any shape.
    """

    name: str
    array: NDArray[np.generic]

    @property
    def shape(self) -> tuple[int, ...]:
        """Of the array."""
        return self.array.shape


Operand = ir.Value | Constant | Dim | int | float
"""What arithmetic takes beside a tensor of the graph."""


class Builder:
    """A graph in the making.

    Where there is one, the form is used that means the same in every opset from 11 on (``Shape``
    with ``Gather`` rather than with ``start``, ``Pad`` without ``axes``, no ``allowzero``).

    Args:
        real: type of weights and of what is computed from them.
        opset: that the graph will state.
    """

    def __init__(self, real: ir.DataType = ir.DataType.FLOAT, opset: int = 11) -> None:
        self.real = real
        self.opset = opset
        self._tape = ir.tape.Tape()
        self._known: dict[object, ir.Value] = {}
        self._taken: set[str] = set()

    @property
    def nodes(self) -> Sequence[ir.Node]:
        """Nodes in topological order."""
        return self._tape.nodes

    @property
    def initializers(self) -> Sequence[ir.Value]:
        """Weights and constants, in the order of their first use."""
        return self._tape.initializers

    def op(
        self,
        name: str,
        op_type: str,
        inputs: Sequence[ir.Value | None],
        shape: Sequence[Extent],
        attributes: Mapping[str, Attribute] | None = None,
        dtype: ir.DataType | None = None,
        node: str | None = None,
    ) -> ir.Value:
        """The node's only output; the same operation on the same inputs is one node."""
        attributes = attributes or {}
        key = (op_type, tuple(map(id, inputs)), repr(sorted(attributes.items())))
        if key not in self._known:
            value = ir.val(self._free(name), dtype=dtype or self.real, shape=ir.Shape(shape))
            self._tape.op(op_type, inputs, attributes, name=node or name, output=value)
            self._known[key] = value
        return self._known[key]

    def weight(self, name: str, array: NDArray[np.floating]) -> ir.Value:
        """An initializer of that name, rounded to the type of this graph."""
        return self._initializer(name, name, np.asarray(array, dtype=self.real.numpy()))

    def constant(self, name: str, array: NDArray[np.generic]) -> ir.Value:
        """An initializer of that name and type."""
        return self._initializer((name, array.dtype.name), name, array)

    def _initializer(self, key: object, name: str, array: NDArray[np.generic]) -> ir.Value:
        if key not in self._known:
            held = ir.tensor(np.asarray(array, order="C"), name=self._free(name))
            self._known[key] = self._tape.initializer(held)
        return self._known[key]

    def _free(self, name: str) -> str:
        """A name that nothing has yet."""
        while name in self._taken:
            name = f"{name}_"
        self._taken.add(name)
        return name

    def given(self, operand: Operand) -> ir.Value:
        """An operand of arithmetic on tensors, in the type of this graph."""
        if isinstance(operand, ir.Value):
            return operand
        if isinstance(operand, Constant):
            return self.weight(operand.name, operand.array)  # type: ignore[arg-type]
        if isinstance(operand, Dim):
            name = f"{operand.value.name}.real"
            return self.op(name, "Cast", [operand.value], (1,), {"to": int(self.real)})
        return self.weight(f"real_{np.float32(operand)}", np.array(operand, np.float64))

    def axes(
        self,
        name: str,
        op_type: str,
        x: ir.Value,
        axes: Sequence[int],
        shape: Sequence[Extent],
        *,
        input_since: int,
        attributes: Mapping[str, Attribute] | None = None,
    ) -> ir.Value:
        """An operation over axes, which an opset before ``input_since`` has as an attribute."""
        attributes = dict(attributes or {})
        if self.opset < input_since:
            return self.op(name, op_type, [x], shape, {"axes": tuple(axes), **attributes})
        return self.op(name, op_type, [x, self.ints(*axes)], shape, attributes)

    def ints(self, *values: int) -> ir.Value:
        """A constant int64 vector."""
        name = "_".join(["int64", *map(str, values)])
        return self._initializer(("int64", values), name, np.array(values, dtype=np.int64))

    def vector(self, name: str, entries: Sequence[int | Dim]) -> ir.Value:
        """An int64 vector of which some entries are known only at run time."""
        if all(isinstance(entry, int) for entry in entries):
            return self.ints(*(entry for entry in entries if isinstance(entry, int)))
        parts = [self.length(entry) for entry in entries]
        if len(parts) == 1:
            return parts[0]
        return self.integer(f"{name}_vector", "Concat", parts, {"axis": 0}, len(parts)).value

    def length(self, entry: int | Dim) -> ir.Value:
        """An int64 tensor of shape (1,)."""
        return entry.value if isinstance(entry, Dim) else self.ints(entry)

    def integer(
        self,
        name: str,
        op_type: str,
        inputs: Sequence[ir.Value],
        attributes: Mapping[str, Attribute] | None = None,
        length: int = 1,
    ) -> Dim:
        """A node of the shape arithmetic."""
        return Dim(self.op(name, op_type, inputs, (length,), attributes, ir.DataType.INT64))

    def extent(self, tensor: ir.Value, axis: int) -> int | Dim:
        """The length of one axis: a number where it is fixed."""
        shape = shape_of(tensor)
        axis %= len(shape)
        fixed = shape[axis]
        if isinstance(fixed, int):
            return fixed
        shape_value = self.integer(f"{tensor.name}_shape", "Shape", [tensor], {}, len(shape)).value
        found = self.integer(f"{tensor.name}_dim_{axis}", "Gather", [shape_value, self.ints(axis)])
        return Dim(found.value, fixed)


def shape_of(tensor: ir.Value) -> tuple[Extent, ...]:
    """The shape that a builder gave a tensor."""
    assert tensor.shape is not None
    return tuple(dim if isinstance(dim, int) else dim.value for dim in tensor.shape.dims)


def shape_in_graph(port: Port, sizes: Sizes) -> tuple[Extent, ...]:
    """Lengths that are fixed, names of axes that are not, and None for what is computed."""
    return tuple(_extent(each, sizes) for each in port.shape)


def _extent(dimension: Dimension, sizes: Sizes) -> Extent:
    length = length_of(dimension, sizes)
    if length is not None or dimension is None:
        return length
    return dimension.name if isinstance(dimension, Axis) else str(dimension)
