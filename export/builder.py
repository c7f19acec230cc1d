"""Collects the nodes and initializers of one ONNX graph, writing nothing twice."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

Extent = int | str | None
"""One axis of a shape: fixed, dynamic with a name, or dynamic without one."""

Attribute = int | float | str | Sequence[int]


@dataclass(frozen=True)
class Dim:
    """A length known only when the graph runs: an int64 tensor of shape (1,)."""

    value: ir.Value


@dataclass(frozen=True)
class ShapeOf:
    """The shape of a tensor, of which only the axes that are asked for enter the graph."""

    value: ir.Value


class Builder:
    """A graph in the making.

    Only forms that mean the same in every opset from 11 on are used (``Shape`` with ``Gather``
    rather than with ``start``, ``Pad`` without ``axes``, no ``allowzero``), so the opset is a
    matter of stating it.

    Args:
        real: type of weights and of what is computed from them.
    """

    def __init__(self, real: ir.DataType = ir.DataType.FLOAT) -> None:
        self.real = real
        self._tape = ir.tape.Tape()
        self._known: dict[object, ir.Value] = {}

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
        inputs: Sequence[ir.Value],
        shape: Sequence[Extent],
        attributes: Mapping[str, Attribute] | None = None,
        dtype: ir.DataType | None = None,
        node: str | None = None,
    ) -> ir.Value:
        """The node's only output; the same operation on the same inputs is one node."""
        attributes = attributes or {}
        key = (op_type, tuple(map(id, inputs)), repr(sorted(attributes.items())))
        if key not in self._known:
            value = ir.val(name, dtype=dtype or self.real, shape=ir.Shape(shape))
            self._tape.op(op_type, inputs, attributes, name=node or name, output=value)
            self._known[key] = value
        return self._known[key]

    def weight(self, name: str, array: NDArray[np.floating]) -> ir.Value:
        """An initializer of that name, rounded to the type of this graph."""
        if name not in self._known:
            rounded = np.ascontiguousarray(array, dtype=self.real.numpy())
            self._known[name] = self._tape.initializer(ir.tensor(rounded, name=name))
        return self._known[name]

    def constant(self, name: str, array: NDArray[np.generic]) -> ir.Value:
        """An initializer of that name and type."""
        key = (name, array.dtype.name)
        if key not in self._known:
            kept = ir.tensor(np.asarray(array, order="C"), name=name)
            self._known[key] = self._tape.initializer(kept)
        return self._known[key]

    def ints(self, *values: int) -> ir.Value:
        """A constant int64 vector."""
        name = "_".join(["int64", *map(str, values)])
        if name not in self._known:
            array = np.array(values, dtype=np.int64)
            self._known[name] = self._tape.initializer(ir.tensor(array, name=name))
        return self._known[name]

    def vector(self, name: str, entries: Sequence[int | Dim]) -> ir.Value:
        """An int64 vector of which some entries are known only at run time."""
        if all(isinstance(entry, int) for entry in entries):
            return self.ints(*(entry for entry in entries if isinstance(entry, int)))
        if len(entries) == 1 and isinstance(entries[0], Dim):
            return entries[0].value
        parts = [entry.value if isinstance(entry, Dim) else self.ints(entry) for entry in entries]
        return self.integer(f"{name}_vector", "Concat", parts, {"axis": 0}, len(parts)).value

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
        return self.integer(f"{tensor.name}_dim_{axis}", "Gather", [shape_value, self.ints(axis)])


def shape_of(tensor: ir.Value) -> tuple[Extent, ...]:
    """The shape that a builder gave a tensor."""
    assert tensor.shape is not None
    return tuple(dim if isinstance(dim, int) else dim.value for dim in tensor.shape.dims)
