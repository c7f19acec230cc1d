"""Arithmetic of one tensor's elements, or of two tensors' element by element."""

from collections.abc import Callable
from typing import Any

import onnx_ir as ir
import torch
from torch import Tensor

from export.builder import Builder, Operand, shape_of
from export.operators.operation import Operation, Writer
from export.operators.shapes import broadcast


def of_one(op_type: str) -> Callable[[Builder, str, ir.Value], ir.Value]:
    """Writes an operation without attributes."""

    def write(graph: Builder, name: str, x: ir.Value) -> ir.Value:
        return graph.op(name, op_type, [x], shape_of(x))

    return write


def of_two(op_type: str) -> Callable[[Builder, str, Operand, Operand], ir.Value]:
    """Writes an operation on two tensors, of which one may be a number."""

    def write(graph: Builder, name: str, x: Operand, other: Operand) -> ir.Value:
        a, b = graph.given(x), graph.given(other)
        return graph.op(name, op_type, [a, b], broadcast(shape_of(a), shape_of(b)))

    return write


def elementwise(op_type: str, meaning: Callable[..., Any], **writers: Writer) -> Operation:
    """A row of what fuses behind a convolution."""
    return Operation(op_type, meaning, "elementwise", writers)


def unary(op_type: str, meaning: Callable[..., Any], *names: str) -> Operation:
    """A row of an operation on one tensor, without attributes."""
    return elementwise(op_type, meaning, **dict.fromkeys(names, of_one(op_type)))


multiply, divide, least, most = map(of_two, ("Mul", "Div", "Min", "Max"))


def add(graph: Builder, name: str, x: Operand, other: Operand, alpha: float = 1) -> ir.Value:
    """x + alpha other."""
    scaled = other if alpha == 1 else multiply(graph, f"{name}.scaled", other, alpha)
    return of_two("Add")(graph, name, x, scaled)


def subtract(graph: Builder, name: str, x: Operand, other: Operand, alpha: float = 1) -> ir.Value:
    """x - alpha other."""
    scaled = other if alpha == 1 else multiply(graph, f"{name}.scaled", other, alpha)
    return of_two("Sub")(graph, name, x, scaled)


def from_other(writer: Writer) -> Writer:
    """The same with its operands exchanged: ``2 - x``."""

    def write(graph: Builder, name: str, x: Operand, other: Operand, **rest: Any) -> ir.Value:
        value: ir.Value = writer(graph, name, other, x, **rest)
        return value

    return write


def power(graph: Builder, name: str, x: Operand, exponent: Operand) -> ir.Value:
    """x ^ exponent."""
    return of_two("Pow")(graph, name, x, exponent)


def square(graph: Builder, name: str, x: ir.Value) -> ir.Value:
    """x^2."""
    return multiply(graph, name, x, x)


def rsqrt(graph: Builder, name: str, x: ir.Value) -> ir.Value:
    """1 / sqrt(x)."""
    return of_one("Reciprocal")(graph, name, of_one("Sqrt")(graph, f"{name}.root", x))


def _div(a: Tensor, b: Tensor) -> Tensor:
    return torch.div(a, b) if a.is_floating_point() else torch.div(a, b, rounding_mode="trunc")


def _mod(a: Tensor, b: Tensor, fmod: int = 0) -> Tensor:
    return torch.fmod(a, b) if fmod else torch.remainder(a, b)


def _extreme(function: Callable[[Tensor, Tensor], Tensor]) -> Callable[..., Tensor]:
    def of_many(first: Tensor, *rest: Tensor) -> Tensor:
        for other in rest:
            first = function(first, other)
        return first

    return of_many


OPERATIONS = (
    unary("Abs", torch.abs, "abs", "absolute"),
    unary("Ceil", torch.ceil, "ceil"),
    unary("Cos", torch.cos, "cos"),
    unary("Erf", torch.erf, "erf", "special_erf"),
    unary("Exp", torch.exp, "exp"),
    unary("Floor", torch.floor, "floor"),
    unary("Log", torch.log, "log"),
    unary("Neg", torch.neg, "neg", "negative"),
    unary("Round", torch.round, "round"),
    unary("Sign", torch.sign, "sign"),
    unary("Sin", torch.sin, "sin"),
    unary("Sqrt", torch.sqrt, "sqrt"),
    elementwise("Add", torch.add, add=add, radd=from_other(add)),
    elementwise("Sub", torch.sub, sub=subtract, subtract=subtract, rsub=from_other(subtract)),
    elementwise("Mul", torch.mul, mul=multiply, multiply=multiply, rmul=multiply, square=square),
    elementwise("Div", _div, div=divide, divide=divide, true_divide=divide, truediv=divide,
                rtruediv=from_other(divide)),
    elementwise("Pow", torch.pow, pow=power, rpow=from_other(power)),
    elementwise("Min", _extreme(torch.minimum), minimum=least),
    elementwise("Max", _extreme(torch.maximum), maximum=most),
    elementwise("Mod", _mod),
    elementwise("Reciprocal", torch.reciprocal, reciprocal=of_one("Reciprocal"), rsqrt=rsqrt),
)  # fmt: skip
