"""The table: every operation that is known, by its name in ONNX and by its names in PyTorch."""

from collections.abc import Mapping

import onnx_ir as ir

from export.operators import (
    activations,
    arithmetic,
    comparison,
    convolution,
    dtypes,
    index,
    lengths,
    normalization,
    order,
    pad,
    parts,
    pool,
    product,
    reduce,
    resize,
    shape,
)
from export.operators.operation import Kind, Operation, Writer
from hifigan_ref.errors import HifiError, like

GROUPS = (
    activations, arithmetic, comparison, convolution, dtypes, index, lengths, normalization, order,
    pad, parts, pool, product, reduce, resize, shape,
)  # fmt: skip

OPERATIONS: Mapping[str, Operation] = {
    row.op_type: row for group in GROUPS for row in group.OPERATIONS
}

WRITERS: Mapping[str, Writer] = {
    name: writer for row in OPERATIONS.values() for name, writer in row.writers.items()
}
"""By name of PyTorch's function, which is that of the method too."""

WEIGHTED = frozenset(
    name for row in OPERATIONS.values() if row.kind == "weighted" for name in row.writers
)
"""Names of PyTorch's functions that weigh."""


def kind_of(node: ir.Node) -> Kind:
    """Of a node's operation; ``other`` where that is not known."""
    row = OPERATIONS.get(node.op_type)
    return "other" if row is None or node.domain else row.kind


def is_weighted(node: ir.Node) -> bool:
    """Whether a node sums products with weights: a convolution, or a product with a constant."""
    product = node.op_type in {"MatMul", "Gemm"}
    return kind_of(node) == "weighted" and (not product or _is_constant(node.inputs[1]))


def _is_constant(value: ir.Value | None) -> bool:
    """Whether a value is stored, or what a type or steps make of one that is."""
    node = None if value is None else value.producer()
    if node is None or node.op_type == "Constant":
        return value is not None and (node is not None or value.const_value is not None)
    stored = node.op_type in {"Cast", "DequantizeLinear", "QuantizeLinear"}
    return stored and _is_constant(node.inputs[0])


def moves_only(node: ir.Node) -> bool:
    """Whether a node computes nothing."""
    return kind_of(node) in {"free", "moving"}


def writer_of(function: str) -> Writer:
    """How a function or a method of PyTorch is written.

    Raises:
        HifiError: it has no ONNX form.
    """
    if function not in WRITERS:
        raise HifiError(
            f"{function} has no ONNX form here{like(function, WRITERS)}; export/operators "
            "lists all, docs/architecture.md says how one is added"
        )
    return WRITERS[function]


def operation_of(node: ir.Node) -> Operation:
    """What is known of a node's operation.

    Raises:
        HifiError: nothing.
    """
    row = OPERATIONS.get(node.op_type)
    if row is None or node.domain:
        name = f"{node.domain}.{node.op_type}" if node.domain else node.op_type
        raise HifiError(
            f"{node.name or node.op_type}: {name} is not known here{like(name, OPERATIONS)}; "
            "export/operators lists all, docs/architecture.md says how one is added"
        )
    return row
