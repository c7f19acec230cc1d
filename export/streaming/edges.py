"""Zeros where there is no signal: a factor for every element of a value along time."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import lcm

import numpy as np
import onnx_ir as ir

from export.builder import Builder, Extent, shape_of
from export.operators.reach import Line
from export.streaming.context import Range
from export.streaming.field import Field

MOST = 1 << 16  # elements of the inputs: how far an end is counts up to there


@dataclass(frozen=True)
class Edges:
    """Where a signal begins and ends around a chunk.

    Attributes:
        graph: that the factors are written into.
        field: of the whole graph.
        lengths: from the inputs' length to that of each value, step by step.
        past: elements of the inputs in front of the chunk, (N,).
        remaining: and those from its beginning to the end, (N,).
    """

    graph: Builder
    field: Field
    lengths: Mapping[str, tuple[Line, ...]]
    past: ir.Value
    remaining: ir.Value

    def mask(self, name: str, value: ir.Value, part: Range) -> ir.Value:
        """The value over a part, 0 outside of the signal.

        An element is inside where ``0 <= place + rate past`` and ``place < length(remaining)``.
        """
        graph, rate, shape = self.graph, self.field.rates[name], shape_of(value)
        axis = self.field.axes[name]
        count = shape[axis]
        assert isinstance(count, int) and axis > 0, name
        places = np.arange(part.first, part.first + count, dtype=np.float64)
        wide = (1, *[1 if i != axis else count for i in range(1, len(shape))])
        told = f"places_{part.first}_{count}_{axis}_{len(shape)}"
        place = graph.weight(told, places.reshape(wide))
        begin = self._line(self._near(self.past), Line(rate.numerator, 0, rate.denominator))
        end = self._near(self.remaining)
        for line in self.lengths[name]:
            end = self._line(end, line)
        behind = self._between(self._op("since", "Add", [place, self._wide(begin, shape)],
                                        (shape[0], *wide[1:])), 1)  # fmt: skip
        before = self._between(self._op("until", "Sub", [self._wide(end, shape), place],
                                        (shape[0], *wide[1:])), 0)  # fmt: skip
        inside = self._op("inside", "Mul", [behind, before], (shape[0], *wide[1:]))
        return graph.op(f"{name}.inside", "Mul", [value, inside], shape)

    def after(self, past: ir.Value, chunk: int) -> ir.Value:
        """How many elements are in front of the next chunk, as far as it is counted."""
        more = self._op("more", "Add", [past, self.graph.given(float(chunk))], shape_of(past))
        return self._near(more)

    def _between(self, x: ir.Value, plus: int) -> ir.Value:
        """1 where x + plus is 1 or more, 0 where it is 0 or less."""
        graph, shape = self.graph, shape_of(x)
        if plus:
            x = self._op("one_more", "Add", [x, graph.given(float(plus))], shape)
        low, high = graph.given(0.0), graph.given(1.0)
        return self._op("sides", "Clip", [x, low, high], shape)

    def _near(self, x: ir.Value) -> ir.Value:
        """Far is as far as it is counted: a multiple of every grain there."""
        most = float(lcm(MOST, self.field.grain))
        return self._op("near", "Min", [x, self.graph.given(most)], shape_of(x))

    def _wide(self, x: ir.Value, shape: Sequence[Extent]) -> ir.Value:
        ones = [1] * (len(shape) - 1)
        vector = self.graph.ints(-1, *ones)
        return self._op("of_each", "Reshape", [x, vector], (shape_of(x)[0], *ones))

    def _op(
        self, name: str, op_type: str, inputs: Sequence[ir.Value], shape: Sequence[Extent]
    ) -> ir.Value:
        """A node with a name that no other has."""
        unique = f"edge_{len(self.graph.nodes)}_{name}"
        return self.graph.op(unique, op_type, inputs, shape)

    def _line(self, x: ir.Value, line: Line) -> ir.Value:
        graph, shape = self.graph, shape_of(x)
        if line.times != 1:
            x = self._op("times", "Mul", [x, graph.given(float(line.times))], shape)
        if line.plus:
            x = self._op("plus", "Add", [x, graph.given(float(line.plus))], shape)
        if line.by != 1:
            x = self._op("by", "Div", [x, graph.given(float(line.by))], shape)
            x = self._op("whole", "Floor", [x], shape)
        return x


def lengths_of(field: Field) -> dict[str, tuple[Line, ...]]:
    """From the inputs' length to that of each value."""
    found: dict[str, tuple[Line, ...]] = {
        str(v.name): () for v in field.model.graph.inputs if str(v.name) in field.axes
    }
    for node in field.model.graph:
        out = str(node.outputs[0].name)
        if out not in field.reaches:
            continue
        given = next(str(v.name) for v in node.inputs if v is not None and str(v.name) in found)
        line = field.reaches[out].length
        for value in node.outputs:
            found[str(value.name)] = _then(found[given], line)
    return found


def _then(lines: tuple[Line, ...], line: Line) -> tuple[Line, ...]:
    """One more step; two without a division are one."""
    if line == Line():
        return lines
    if lines and lines[-1].by == 1:
        last = lines[-1]
        joined = Line(line.times * last.times, line.times * last.plus + line.plus, line.by)
        return lines[:-1] if joined == Line() else (*lines[:-1], joined)
    return (*lines, line)
