"""One row of the operator table."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import onnx_ir as ir

from export.operators.reach import Reaching

Kind = Literal["free", "moving", "elementwise", "weighted", "other"]

Writer = Callable[..., Any]
"""``writer(graph, name, *arguments)`` with PyTorch's arguments, whose names are PyTorch's too but
for the first: tensors are values of the graph, lengths that are not fixed are ``Dim``, parameters
and what is computed from them are ``Constant``."""


def no_flops(_node: ir.Node) -> int:
    """Of what is not counted: below 0.1 % beside convolutions."""
    return 0


@dataclass(frozen=True)
class Operation:
    """An operation of ONNX.

    Attributes:
        op_type: its name in the default domain.
        meaning: takes the node's inputs as PyTorch tensors (None where one is left out) and its
            attributes by name; returns a tensor, or a tuple of them. Real numbers are float64.
        kind: ``free`` (looks at the same numbers in another shape), ``moving`` (computes nothing),
            ``elementwise`` (fuses behind a convolution), ``weighted`` (sums products with weights:
            what a plan names and a precision is for) or ``other``.
        writers: the functions and methods of PyTorch that are written with it, by name. The layers
            of ``torch.nn`` call these functions.
        flops: of a node in whose graph every shape is known, two for a multiply-add.
        opset_matters: whether ``meaning`` takes ``opset`` too.
        reach: which elements along time it reads; None where that is not known, but that what is
            elementwise reads its own place.
    """

    op_type: str
    meaning: Callable[..., Any]
    kind: Kind = "other"
    writers: Mapping[str, Writer] = field(default_factory=dict)
    flops: Callable[[ir.Node], int] = no_flops
    opset_matters: bool = False
    reach: Reaching | None = None
