"""How late each value is where every chunk takes over from the one before, and what it leaves."""

from collections.abc import Mapping
from dataclasses import dataclass

from export.operators.reach import Line
from export.streaming.context import Range, needed
from export.streaming.field import Field


@dataclass(frozen=True)
class Delays:
    """A graph of which each call computes what no call computed before.

    Attributes:
        made: of each value, by name, the part that a chunk of the inputs makes: as long as the
            chunk, and late by so many elements.
        held: the part that its readers find: what was made before is in front of it.
    """

    made: Mapping[str, Range]
    held: Mapping[str, Range]


def delays_in(field: Field) -> Delays:
    """As early as what each node reads is there, and no more of the past than is read again.

    Raises:
        HifiError: the context is not finite; the layer is named.
    """
    names = needed(field)
    graph = field.model.graph
    late = {str(v.name): 0 for v in graph.inputs if str(v.name) in names}
    tails = dict.fromkeys(names, 0)
    for node in graph:
        out = str(node.outputs[0].name)
        if not any(str(value.name) in names for value in node.outputs) or out not in field.reaches:
            continue
        reach = field.reaches[out]
        given = {str(v.name) for v in node.inputs if v is not None and str(v.name) in field.axes}
        # what reads nothing that is still to come is on time
        delay = max(0, -1 - _latest(reach.last, -max(late[name] for name in given) - 1))
        for name in given:
            tails[name] = max(tails[name], -late[name] - reach.first(-delay))
        late.update({str(value.name): delay for value in node.outputs})
    made = {name: Range(-late[name], -late[name]) for name in names}
    return Delays(made, {name: Range(-late[name] - tails[name], -late[name]) for name in names})


def _latest(line: Line, most: int) -> int:
    """The largest index that a line puts at ``most`` or before it."""
    return (most * line.by + line.by - 1 - line.plus) // line.times
