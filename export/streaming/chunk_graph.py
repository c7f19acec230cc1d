"""A part of a graph's outputs from the part of its inputs that decides it.

Each node runs on exactly those elements that the chunk's outputs need of it, without padding of its
own: where there is no signal its input is zero, as the whole signal's padding is.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import onnx_ir as ir

from export.builder import Attribute, Builder, Extent, shape_of
from export.operators.parts import cut
from export.operators.reach import Reach
from export.spectrograms import same_input
from export.streaming.context import Context, Range, context_in
from export.streaming.edges import Edges, lengths_of
from export.streaming.field import Field, field_of
from export.streaming.masks import masked
from hifigan_ref.errors import HifiError

PAST, REMAINING = "past", "remaining"
CLIPPED = ("Conv", "AveragePool")  # read zeros in the place of what a smaller context leaves out


@dataclass
class _Writer:
    """The graph in the making: values by their old names, and the part that each holds."""

    graph: Builder
    field: Field
    chunk: int
    ranges: Mapping[str, Range]
    edges: Edges
    zeroed: frozenset[str]
    known: dict[str, ir.Value] = dataclasses.field(default_factory=dict)

    def count(self, name: str, part: Range) -> int:
        """Elements of a value over a part."""
        return int(self.chunk * self.field.rates[name]) + part.last - part.first

    def keep(self, name: str, value: ir.Value) -> None:
        """A value over its part."""
        if name in self.zeroed:
            value = self.edges.mask(name, value, self.ranges[name])
        self.known[name] = value

    def part(self, value: ir.Value, wanted: Range) -> tuple[ir.Value, Range]:
        """Of what a value holds, as much as is wanted; which part that is."""
        name, held = str(value.name), self.ranges[str(value.name)]
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
        elif out in self.ranges:
            self.keep(out, self._over(node, self.field.reaches[out]))

    def _over(self, node: ir.Node, reach: Reach) -> ir.Value:
        out = str(node.outputs[0].name)
        wanted = self.ranges[out]
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
        return self.graph.op(
            str(output.name), node.op_type, inputs, shape, attributes, output.dtype, node=name
        )


def chunked(
    model: ir.Model, chunk: int, sides: tuple[int, int] | None = None
) -> tuple[ir.Model, Context]:
    """The graph of a chunk, and its context.

    Args:
        model: of any length, whose other lengths may be dynamic too.
        chunk: elements of the inputs' time for which outputs come out.
        sides: context in front and behind, at most what is needed; None for exactly that.

    Returns:
        A graph whose inputs along time have ``left + chunk + right`` elements, and (N,) ``past``
        and ``remaining``: how many are in front of the chunk, and how many from its beginning to
        the end of the signal. What an input holds outside of the signal does not matter.

    Raises:
        HifiError: the context is not finite, a node cannot be cut, or the chunk does not fit.
    """
    known = field_of(model)
    context = context_in(known, sides)
    if chunk % known.grain:
        raise HifiError(
            f"a chunk of {chunk} {known.unit}: this network repeats every {known.grain}: choose a "
            f"multiple of {known.grain}"
        )
    graph = Builder(ir.DataType.FLOAT, model.opset_imports[""])
    old = model.graph
    batch = shape_of(old.inputs[0])[0]
    ends = [ir.val(n, ir.DataType.FLOAT, ir.Shape([batch])) for n in (PAST, REMAINING)]
    edges = Edges(graph, known, lengths_of(known), *ends)
    writer = _Writer(graph, known, chunk, context.ranges, edges, masked(known))
    inputs = [same_input(value, ir.DataType.FLOAT) for value in old.inputs]
    for value in inputs:
        name = str(value.name)
        if name not in known.axes:
            writer.known[name] = value
            continue
        shape = list(shape_of(value))
        window = Range(-context.left, context.right)
        shape[known.axes[name]] = writer.count(name, window)
        value.shape = ir.Shape(shape)
        part = context.ranges[name]
        front, back = part.first + context.left, context.right - part.last
        bounds = {known.axes[name]: slice(front, -back if back else None)}
        writer.keep(name, cut(graph, f"{name}_needed", value, bounds) if front or back else value)
    for node in old:
        writer.node(node)
    return _finished(model, writer, [*inputs, *ends]), context


def _finished(model: ir.Model, writer: _Writer, inputs: list[ir.Value]) -> ir.Model:
    outputs = []
    for value in model.graph.outputs:
        name = str(value.name)
        if name in writer.field.axes:
            new, _ = writer.part(value, Range(0, 0))
        else:
            new = writer.known[name]
        if new is not writer.known[name]:
            writer.known[name].name = f"{name}_around"
        new.name = name
        outputs.append(new)
    graph = ir.Graph(
        inputs,
        outputs,
        nodes=writer.graph.nodes,
        initializers=writer.graph.initializers,
        opset_imports=dict(model.opset_imports),
        name=model.graph.name,
    )
    return ir.Model(
        graph,
        ir_version=model.ir_version,
        producer_name=model.producer_name,
        producer_version=model.producer_version,
    )


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
