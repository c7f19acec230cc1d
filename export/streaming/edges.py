"""Zeros where there is no signal, for every element of a value along time.

Where that is, is counted in whole numbers, which no precision rounds.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from math import ceil

import numpy as np
import onnx_ir as ir

from export.builder import Builder, Extent, shape_of
from export.operators.parts import cut
from export.operators.reach import Line
from export.streaming.context import Range
from export.streaming.field import Field

BOOL, INT64 = ir.DataType.BOOL, ir.DataType.INT64
# OpenVINO divides whole numbers in float32, which holds all of them up to twice this one.
EXACT = 1 << 23

Kind = tuple[Fraction, tuple[Line, ...], int]
"""Of a value: its rate, its length and its axis of time."""


@dataclass(frozen=True)
class Edges:
    """Where a signal begins and ends around a chunk.

    Attributes:
        graph: that is written.
        field: of the whole graph.
        lengths: from the inputs' length to that of each value, step by step.
        past: elements of the inputs in front of the chunk, (N,) int64.
        remaining: and those from its beginning to the end, (N,) int64.
        chunk: elements of the inputs' time for which outputs come out.
        held: the part of each value that its readers find.
        zeroed: names of the values that are zero outside of the signal.
    """

    graph: Builder
    field: Field
    lengths: Mapping[str, tuple[Line, ...]]
    past: ir.Value
    remaining: ir.Value
    chunk: int
    held: Mapping[str, Range]
    zeroed: frozenset[str]

    def mask(self, name: str, value: ir.Value) -> ir.Value:
        """What is held of a value, 0 outside of the signal where it must be."""
        if name not in self.zeroed:
            return value
        graph, shape, axis = self.graph, shape_of(value), self.field.axes[name]
        kind, part = self._kind(name), self.held[name]
        widest = self._widest[kind]
        front, back = part.first - widest.first, widest.last - part.last
        inside = self._inside(kind, widest, shape)
        if front or back:
            bounds = {axis: slice(front, -back if back else None)}
            inside = cut(graph, f"{name}.mask", inside, bounds)
        return graph.op(f"{name}.inside", "Mul", [value, inside], shape, None, value.dtype)

    @cached_property
    def _widest(self) -> Mapping[Kind, Range]:
        """What values of one kind hold together."""
        found: dict[Kind, Range] = {}
        for name in self.zeroed:
            if name in self.held:
                kind = self._kind(name)
                found[kind] = self.held[name].hull(found.get(kind))
        return found

    def _kind(self, name: str) -> Kind:
        """What decides where a value lies: those that agree in it share a mask."""
        return self.field.rates[name], self.lengths[name], self.field.axes[name]

    def _inside(self, kind: Kind, part: Range, shape: Sequence[Extent]) -> ir.Value:
        """1 inside of the signal and 0 outside, over a part of any value of a kind.

        An element is inside where ``0 <= place + rate past`` and ``place < length(remaining)``.
        """
        (rate, lines, axis), rank, graph = kind, len(shape), self.graph
        assert axis > 0, "a batch is no time"
        count = int(self.chunk * rate) + part.last - part.first
        wide = (1, *[1 if i != axis else count for i in range(1, rank)])
        told = f"places_{part.first}_{count}_{axis}_{rank}"
        place = graph.constant(told, np.arange(part.first, part.first + count).reshape(wide))
        past, end = self._near(self.past), self._near(self.remaining)
        before = self._line(past, Line(rate.numerator, 0, rate.denominator))
        for line in lines:
            end = self._line(end, line)
        each = (shape[0], *wide[1:])
        since = self._op("since", "Add", [place, self._wide(before, rank)], each)
        begun = self._op("begun", "Less", [graph.ints(-1), since], each, BOOL)
        more = self._op("more", "Less", [place, self._wide(end, rank)], each, BOOL)
        inside = self._op("inside", "And", [begun, more], each, BOOL)
        one, zero = graph.given(1.0), graph.given(0.0)
        return self._op("factor", "Where", [inside, one, zero], each, graph.real)

    def after(self, past: ir.Value, chunk: int) -> ir.Value:
        """How many elements are in front of the next chunk."""
        more = self._op("after", "Add", [past, self.graph.ints(chunk)], shape_of(past))
        return self._near(more)

    def _near(self, x: ir.Value) -> ir.Value:
        """Far is as far as is counted: behind everything that a chunk reads, and a whole grain."""
        grain, fastest = self.field.grain, max(self.field.rates.values())
        most = max(EXACT // max(1, ceil(fastest)), 2 * self.chunk) // grain * grain
        limit, shape = self.graph.ints(most), shape_of(x)
        nearer = self._op("nearer", "Less", [x, limit], shape, BOOL)
        return self._op("near", "Where", [nearer, x, limit], shape)

    def _wide(self, x: ir.Value, rank: int) -> ir.Value:
        ones = [1] * (rank - 1)
        vector = self.graph.ints(-1, *ones)
        return self._op("of_each", "Reshape", [x, vector], (shape_of(x)[0], *ones))

    def _op(
        self,
        name: str,
        op_type: str,
        inputs: Sequence[ir.Value],
        shape: Sequence[Extent],
        dtype: ir.DataType = INT64,
    ) -> ir.Value:
        """A node with a name that no other has."""
        unique = f"edge_{len(self.graph.nodes)}_{name}"
        return self.graph.op(unique, op_type, inputs, shape, None, dtype)

    def _line(self, x: ir.Value, line: Line) -> ir.Value:
        """Whole numbers divide towards zero, and are above it before they do here."""
        graph, shape = self.graph, shape_of(x)
        far = 0 if line.by == 1 else EXACT // line.by
        if line.times != 1:
            x = self._op("times", "Mul", [x, graph.ints(line.times)], shape)
        if line.plus + far * line.by:
            x = self._op("plus", "Add", [x, graph.ints(line.plus + far * line.by)], shape)
        if line.by != 1:
            x = self._op("by", "Div", [x, graph.ints(line.by)], shape)
            x = self._op("back", "Sub", [x, graph.ints(far)], shape)
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
