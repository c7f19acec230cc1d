"""Which values must be zero where there is no signal, as a padding of the whole signal is.

1. What reads outside of its input along time finds zeros there: its input is held at zero.
2. What makes nothing but zeros of zeros holds its output at zero where its inputs are.
3. Everything else that must be zero is multiplied by 0 outside of the signal.
"""

import numpy as np
import onnx_ir as ir
import torch

from export.evaluate import opset_of, run_node
from export.operators.dtypes import exact
from export.operators.reach import Reach
from export.operators.table import kind_of
from export.streaming.field import Field
from hifigan_ref.errors import HifiError

LONG = 10_000  # elements: more than any window has


def masked(field: Field) -> frozenset[str]:
    """Names of the values that are multiplied.

    Raises:
        HifiError: a node finds something else than zeros outside of its input.
    """
    zero: set[str] = set()
    own: set[str] = set()
    for node in reversed(list(field.model.graph)):
        out = str(node.outputs[0].name)
        if out not in field.reaches:
            continue
        reach = field.reaches[out]
        given = {str(v.name) for v in node.inputs if v is not None} & set(field.axes)
        if reads_outside(reach):
            if reach.outside != "zeros":
                raise HifiError(
                    f"{node.name} ({node.op_type}) finds {reach.outside} outside of the signal: "
                    "chunks are exact where that is zeros"
                )
            zero |= given
        if out in zero and stays_zero(node, field):
            zero |= given
        elif out in zero:
            own.add(out)
    return frozenset(own | (zero & {str(value.name) for value in field.model.graph.inputs}))


def reads_outside(reach: Reach) -> bool:
    """Whether an output inside of its length reads an input outside of its own."""
    lengths = range(LONG, LONG + reach.length.by)
    behind = any(reach.last(reach.length(n) - 1) >= n for n in lengths)
    return reach.first(0) < 0 or behind


def stays_zero(node: ir.Node, field: Field) -> bool:
    """Whether outputs outside of their length are zero where inputs are so outside of theirs."""
    reach = field.reaches[str(node.outputs[0].name)]
    within = reach.last(-1) >= 0 or any(
        reach.first(reach.length(n)) < n for n in range(LONG, LONG + reach.length.by)
    )
    if within or kind_of(node) not in {"elementwise", "free", "moving"}:
        return False
    return kind_of(node) != "elementwise" or _zero_of_zeros(node, field)


def _zero_of_zeros(node: ir.Node, field: Field) -> bool:
    given: list[torch.Tensor | None] = []
    for value in node.inputs:
        if value is None:
            given.append(None)
        elif str(value.name) in field.axes:
            given.append(torch.zeros((), dtype=torch.float64))
        elif value.const_value is not None:
            given.append(exact(np.asarray(value.const_value.numpy())))
        else:
            given.append(torch.ones((), dtype=torch.float64))
    (made,) = run_node(node, given, opset_of(field.model))
    return not made.any()
