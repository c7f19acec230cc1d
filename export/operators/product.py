"""Matrix products."""

from math import prod
from typing import Any

import onnx_ir as ir
import torch
from torch import Tensor

from export.builder import Builder, Constant, Operand, shape_of
from export.operators.convolution import fixed_weight, static_shape
from export.operators.operation import Operation, Writer
from export.operators.reach_axes import product
from export.operators.shapes import broadcast


def linear(
    graph: Builder, name: str, x: ir.Value, weight: Constant, bias: Constant | None = None
) -> ir.Value:
    """(..., C_in) -> (..., C_out)."""
    matrix = Constant(f"{fixed_weight(name, weight).name}.transposed", weight.array.T)
    product = matmul(graph, name, x, matrix)
    if bias is None:
        return product
    return graph.op(f"{name}.add", "Add", [product, graph.given(bias)], shape_of(product))


def matmul(graph: Builder, name: str, x: Operand, other: Operand) -> ir.Value:
    """(..., n, k) by (..., k, m) -> (..., n, m); a vector loses its axis."""
    a, b = graph.given(x), graph.given(other)
    left, right = shape_of(a), shape_of(b)
    outer = broadcast(left[:-2], right[:-2])
    return graph.op(name, "MatMul", [a, b], (*outer, *left[-2:-1], *right[-1:][len(right) < 2 :]))


def _gemm(a: Tensor, b: Tensor, c: Tensor | None = None, **attributes: Any) -> Tensor:
    left = a.T if attributes.get("transA", 0) else a
    right = b.T if attributes.get("transB", 0) else b
    product: Tensor = attributes.get("alpha", 1.0) * (left @ right)
    return product if c is None else product + attributes.get("beta", 1.0) * c


def _flops_product(node: ir.Node) -> int:
    """Every element of the left side goes to a row of the matrix."""
    columns = 0 if node.attributes.get_int("transB", 0) else -1
    return 2 * prod(static_shape(node.inputs[0])) * static_shape(node.inputs[1])[columns]


PRODUCTS: dict[str, Writer] = {"linear": linear, "matmul": matmul, "bmm": matmul, "mm": matmul}

OPERATIONS = (
    Operation("MatMul", torch.matmul, "weighted", PRODUCTS, _flops_product, reach=product),
    Operation("Gemm", _gemm, "weighted", {}, _flops_product, reach=product),
)
