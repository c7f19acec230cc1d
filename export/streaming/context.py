"""How much of the inputs around a part decides that part of the outputs, exactly."""

from collections.abc import Mapping
from dataclasses import dataclass

import onnx_ir as ir

from export.streaming.field import Field, field_of
from hifigan_ref.errors import HifiError


@dataclass(frozen=True)
class Range:
    """A part of a value around a chunk of the inputs that begins at 0.

    Attributes:
        first: elements from the chunk's beginning to the part's; negative in front of it.
        last: from the chunk's end to the part's; positive behind it.
    """

    first: int
    last: int

    def hull(self, other: "Range | None") -> "Range":
        """Both and what lies between."""
        if other is None:
            return self
        return Range(min(self.first, other.first), max(self.last, other.last))


@dataclass(frozen=True)
class Context:
    """What a chunk needs beside itself.

    Attributes:
        left: elements of the inputs in front.
        right: elements behind, which are the algorithmic latency.
        unit: name of their axis.
        grain: a chunk begins at a multiple of so many elements, and is as long as one.
        ranges: of each value, by name, what the chunk's outputs need.
    """

    left: int
    right: int
    unit: str
    grain: int
    ranges: Mapping[str, Range]


def context_of(model: ir.Model) -> Context:
    """Of a chunk's outputs.

    Raises:
        HifiError: there is none that is finite; the layer is named.
    """
    return context_in(field_of(model))


def context_in(field: Field, sides: tuple[int, int] | None = None) -> Context:
    """Of a chunk's outputs, or as much of it as is given on each side.

    Raises:
        HifiError: there is more of it than is needed.
    """
    ranges = needed(field)
    given = [ranges[str(v.name)] for v in field.model.graph.inputs if str(v.name) in ranges]
    left = max((0, *(-each.first for each in given)))
    right = max((0, *(each.last for each in given)))
    if sides is not None:
        if not (0 <= sides[0] <= left and 0 <= sides[1] <= right):
            raise HifiError(
                f"a context of {sides[0]},{sides[1]} {field.unit}: {left},{right} are all that is "
                f"needed: choose 0 to {left} in front and 0 to {right} behind"
            )
        left, right = sides
        ranges = {name: _within(each, field, name, sides) for name, each in ranges.items()}
    return Context(left, right, field.unit, field.grain, ranges)


def _within(part: Range, field: Field, name: str, sides: tuple[int, int]) -> Range:
    """What of it a smaller context leaves."""
    left, right = (int(side * field.rates[name]) for side in sides)
    return Range(max(part.first, -left), min(part.last, right))


def needed(field: Field) -> dict[str, Range]:
    """Of each value along time, the part that a chunk's outputs need: from the outputs back."""
    graph = field.model.graph
    ranges: dict[str, Range] = {}
    for value in graph.outputs:
        if str(value.name) in field.axes:
            ranges[str(value.name)] = Range(0, 0)
    for node in reversed(list(graph)):
        wanted = None
        for value in node.outputs:
            if str(value.name) in ranges:
                wanted = ranges[str(value.name)].hull(wanted)
        if wanted is None:
            continue
        reach = field.reaches[str(node.outputs[0].name)]
        read = Range(reach.first(wanted.first), reach.last(wanted.last - 1) + 1)
        for name in {str(value.name) for value in node.inputs if value is not None}:
            if name in field.axes:
                ranges[name] = read.hull(ranges.get(name))
    return ranges
