"""Which values are zero where there is no signal, as the padding of a whole signal is.

Those that a node reads outside of it.
"""

from export.operators.reach import Reach
from export.streaming.field import Field
from hifigan_ref.errors import HifiError

LONG = 10_000  # elements: more than any window has


def masked(field: Field) -> frozenset[str]:
    """Their names.

    Raises:
        HifiError: a node finds something else than zeros outside of its input.
    """
    zero: set[str] = set()
    for node in field.model.graph:
        reach = field.reaches.get(str(node.outputs[0].name))
        if reach is None or not reads_outside(reach):
            continue
        if reach.outside != "zeros":
            raise HifiError(
                f"{node.name} ({node.op_type}) finds {reach.outside} outside of the signal: chunks "
                "are exact where that is zeros"
            )
        zero |= {str(v.name) for v in node.inputs if v is not None} & set(field.axes)
    return frozenset(zero)


def reads_outside(reach: Reach) -> bool:
    """Whether an output inside of its length reads an input outside of its own."""
    lengths = range(LONG, LONG + reach.length.by)
    behind = any(reach.last(reach.length(n) - 1) >= n for n in lengths)
    return reach.first(0) < 0 or behind
