"""The nodes of a graph over a part of its signal.

Each node runs on exactly those elements that its output's part needs of it, without padding of its
own: where there is no signal its input is zero, as the whole signal's padding is.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import onnx_ir as ir

from export.builder import Attribute, Builder, Extent, shape_of
from export.operators.parts import cut
from export.operators.reach import Reach
from export.stream_record import STATE
from export.streaming.context import Range
from export.streaming.edges import Edges
from export.streaming.field import Field
from hifigan_ref.errors import HifiError

CLIPPED = ("Conv", "AveragePool")  # read zeros in the place of what a smaller context leaves out


@dataclass
class PartWriter:
    """A graph in the making, whose values are known by their old names.

    Attributes:
        graph: that is written.
        field: of the whole graph.
        chunk: elements of the inputs' time for which outputs come out.
        made: the part of each value that its node computes.
        held: and the part that its readers find, of which a state holds what is not computed.
        edges: where the signal begins and ends.
        known: new values by the old names.
        states: what is left of the chunk before, and what is left for the next one.
    """

    graph: Builder
    field: Field
    chunk: int
    made: Mapping[str, Range]
    held: Mapping[str, Range]
    edges: Edges
    known: dict[str, ir.Value] = dataclasses.field(default_factory=dict)
    states: list[tuple[ir.Value, ir.Value]] = dataclasses.field(default_factory=list)

    def count(self, name: str, part: Range) -> int:
        """Elements of a value over a part."""
        return int(self.chunk * self.field.rates[name]) + part.last - part.first

    def input(self, value: ir.Value, window: Range) -> None:
        """An input over a window, of which its readers find the part that they need."""
        name, axis, shape = str(value.name), self.field.axes[str(value.name)], list(shape_of(value))
        shape[axis] = self.count(name, window)
        value.shape = ir.Shape(shape)
        part = self.made[name]
        front, back = part.first - window.first, window.last - part.last
        bounds = {axis: slice(front, -back if back else None)}
        self.keep(
            name, cut(self.graph, f"{name}_needed", value, bounds) if front or back else value
        )

    def keep(self, name: str, value: ir.Value) -> None:
        """A value over the part that its readers find, of the part that was computed."""
        made, held = self.made[name], self.held[name]
        tail = made.first - held.first
        if not tail:
            self.known[name] = self.edges.mask(name, value)
            return
        axis, shape = self.field.axes[name], list(shape_of(value))
        length, shape[axis] = shape[axis], tail
        assert isinstance(length, int), name
        state = ir.val(f"{STATE}{name}", value.dtype, ir.Shape(shape))
        shape[axis] = tail + length
        joined = f"{name}.joined"
        found = self.graph.op(joined, "Concat", [state, value], shape, {"axis": axis}, value.dtype)
        found = self.known[name] = self.edges.mask(name, found)
        left = cut(self.graph, f"{name}.left", found, {axis: slice(length, None)})
        self.states.append((state, left))

    def part(self, value: ir.Value, wanted: Range) -> tuple[ir.Value, Range]:
        """Of what a value holds, as much as is wanted; which part that is."""
        name, held = str(value.name), self.held[str(value.name)]
        found = Range(max(wanted.first, held.first), min(wanted.last, held.last))
        front, back = found.first - held.first, held.last - found.last
        x = self.known[name]
        if front or back:
            bounds = {self.field.axes[name]: slice(front, -back if back else None)}
            x = cut(self.graph, f"{name}_{front}_{back}", x, bounds)
        return x, found

    def stored(self, value: ir.Value | None) -> ir.Value | None:
        """What no time is in."""
        if value is None or str(value.name) in self.known:
            return None if value is None else self.known[str(value.name)]
        if value.const_value is None:
            raise HifiError(f"{value.name} is computed from a length: fix its shape in the network")
        array = value.const_value.numpy()
        name = str(value.name)
        if array.dtype.kind == "f" and value.dtype == ir.DataType.FLOAT:
            return self.graph.weight(name, array)
        return self.graph.constant(name, array)

    def node(self, node: ir.Node) -> None:
        """One node over its part, or as it is where no time is in it."""
        out = str(node.outputs[0].name)
        timed = [v for v in node.inputs if v is not None and str(v.name) in self.field.axes]
        if not timed:
            inputs = [self.stored(value) for value in node.inputs]
            self.known[out] = self._op(node, inputs, shape_of(node.outputs[0]), _given(node))
        elif out not in self.field.reaches or len(node.outputs) > 1:
            raise HifiError(f"{node.name} ({node.op_type}) computes what is not cut into chunks")
        elif out in self.made:
            self.keep(out, self._over(node, self.field.reaches[out]))

    def _over(self, node: ir.Node, reach: Reach) -> ir.Value:
        out = str(node.outputs[0].name)
        wanted = self.made[out]
        if reach.whole:
            raise HifiError(f"{node.name} ({node.op_type}) is not cut into chunks: simplify it")
        read = Range(reach.first(wanted.first), reach.last(wanted.last - 1) + 1)
        inputs: list[ir.Value | None] = []
        found = read
        for value in node.inputs:
            if value is not None and str(value.name) in self.field.axes:
                part, found = self.part(value, read)
                inputs.append(part)
            else:
                inputs.append(None if reach.plain is None else self.stored(value))
        front, back = found.first - read.first, read.last - found.last
        if reach.plain is None and not (front or back):
            assert inputs[0] is not None
            return inputs[0]
        attributes = {**_given(node), **(reach.plain or {})}
        if node.op_type in CLIPPED:
            attributes["pads"] = _around(attributes, reach.axis, node, front, back)
        elif front or back:
            if not reach.crops:
                raise HifiError(f"{node.name} ({node.op_type}) needs all of its context")
            read = found
        begin, end = reach.begins(read.first), reach.ends(read.last)
        crop = (wanted.first - begin, end - wanted.last)
        assert min(crop) >= 0, (node.name, crop)
        shape = list(shape_of(node.outputs[0]))
        if reach.crops:
            attributes["pads"] = _around(attributes, reach.axis, node, *crop)
            crop = (0, 0)
        shape[reach.axis] = self.count(out, wanted) + sum(crop)
        made = self._op(node, inputs, shape, attributes)
        bounds = {reach.axis: slice(crop[0], -crop[1] if crop[1] else None)}
        return cut(self.graph, f"{out}_crop", made, bounds) if any(crop) else made

    def _op(
        self,
        node: ir.Node,
        inputs: list[ir.Value | None],
        shape: "list[Extent] | tuple[Extent, ...]",
        attributes: Mapping[str, Attribute],
    ) -> ir.Value:
        (output,) = node.outputs
        name = str(node.name or output.name)
        held = f"{output.name}.part" if output.is_graph_output() else str(output.name)
        return self.graph.op(held, node.op_type, inputs, shape, attributes, output.dtype, node=name)


def _given(node: ir.Node) -> dict[str, Attribute]:
    return {name: attribute.value for name, attribute in node.attributes.items()}


def _around(
    attributes: Mapping[str, Attribute], axis: int, node: ir.Node, front: int, back: int
) -> tuple[int, ...]:
    """Pads with so many along time."""
    rank = len(shape_of(node.outputs[0])) - 2
    given = attributes.get("pads", (0,) * (2 * rank))
    assert isinstance(given, Sequence)
    pads = [int(each) for each in given]
    pads[axis - 2], pads[axis - 2 + rank] = front, back
    return tuple(pads)
