"""A part of a graph's outputs from the part of its inputs that decides it."""

from collections.abc import Mapping

import onnx_ir as ir

from export.builder import Builder, shape_of
from export.remade import remade, same_input
from export.stream_record import NEXT, PAST, REMAINING, STATE
from export.streaming.context import Context, Range, context_in
from export.streaming.delays import Delays, delays_in
from export.streaming.edges import Edges, lengths_of
from export.streaming.field import Field, field_of
from export.streaming.masks import masked
from export.streaming.part_writer import PartWriter
from hifigan_ref.errors import HifiError


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
    field = _fitting(field_of(model), chunk)
    context = context_in(field, sides)
    writer = _writer(model, field, chunk, (context.ranges, context.ranges), PAST)
    inputs = _read(model, writer, Range(-context.left, context.right))
    for node in model.graph:
        writer.node(node)
    outputs = _named(model, writer, dict.fromkeys(field.axes, Range(0, 0)))
    edges = writer.edges
    return remade(model, writer.graph, [*inputs, edges.past, edges.remaining], outputs), context


def stateful(model: ir.Model, chunk: int) -> tuple[ir.Model, Delays]:
    """The graph of a chunk that takes over where the one before ended, and how late it is.

    Args:
        model: of any length, whose other lengths may be dynamic too.
        chunk: elements of the inputs' time that come in.

    Returns:
        A graph whose inputs along time have ``chunk`` elements, ``remaining`` as in ``chunked``
        (0 and less behind the end of the signal), and ``state_*``, zeros at first, which are
        ``next_state_*`` of the chunk before. Each output is late by its delay.
        ``state_past``, (N,), counts the elements in front: where it is 0 a signal begins.

    Raises:
        HifiError: the context is not finite, a node cannot be cut, or the chunk does not fit.
    """
    field = _fitting(field_of(model), chunk)
    delays = delays_in(field)
    writer = _writer(model, field, chunk, (delays.made, delays.held), STATE + PAST)
    inputs = _read(model, writer, Range(0, 0))
    for node in model.graph:
        writer.node(node)
    outputs = _named(model, writer, delays.made)
    past = writer.edges.past
    states = [(past, writer.edges.after(past, chunk)), *writer.states]
    for before, after in states:
        after.name = f"{NEXT}{before.name}"
        outputs.append(after)
    inputs += [writer.edges.remaining, *(before for before, _ in states)]
    return remade(model, writer.graph, inputs, outputs), delays


def _fitting(field: Field, chunk: int) -> Field:
    """Raises HifiError where a chunk is no multiple of what everything repeats after."""
    if chunk % field.grain:
        raise HifiError(
            f"a chunk of {chunk} {field.unit}: this network repeats every {field.grain}: choose a "
            f"multiple of {field.grain}"
        )
    return field


def _writer(
    model: ir.Model,
    field: Field,
    chunk: int,
    parts: tuple[Mapping[str, Range], Mapping[str, Range]],
    past: str,
) -> PartWriter:
    """What writes the graph, whose numbers of either side are inputs of these names."""
    graph = Builder(ir.DataType.FLOAT, model.opset_imports[""])
    batch = shape_of(model.graph.inputs[0])[0]
    before, after = (ir.val(n, ir.DataType.INT64, ir.Shape([batch])) for n in (past, REMAINING))
    edges = Edges(graph, field, lengths_of(field), before, after, chunk, parts[1], masked(field))
    return PartWriter(graph, field, chunk, *parts, edges)


def _read(model: ir.Model, writer: PartWriter, window: Range) -> list[ir.Value]:
    """The inputs, those along time over a window."""
    inputs = [same_input(value, ir.DataType.FLOAT) for value in model.graph.inputs]
    for value in inputs:
        if str(value.name) in writer.field.axes:
            writer.input(value, window)
        else:
            writer.known[str(value.name)] = value
    return inputs


def _named(model: ir.Model, writer: PartWriter, parts: Mapping[str, Range]) -> list[ir.Value]:
    """The outputs under their names, each over its part."""
    outputs: list[ir.Value] = []
    for value in model.graph.outputs:
        name = str(value.name)
        new = writer.known[name]
        if name in writer.field.axes:
            new, _ = writer.part(value, parts[name])
        other = f"{name}.now"  # a value with a name of its own, a state or an input, keeps it
        if new.producer() is None or any(new is left for _, left in writer.states):
            new = writer.graph.op(other, "Identity", [new], shape_of(new), None, new.dtype)
        new.name = name
        outputs.append(new)
    return outputs
