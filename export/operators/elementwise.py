"""What treats each element alone: arithmetic and activations."""

from collections.abc import Callable
from typing import Any

import onnx_ir as ir
import torch
import torch.nn.functional as F
from torch import Tensor

from export.builder import Builder, Constant, Operand, shape_of
from export.operators.operation import Operation, Writer
from export.operators.shapes import broadcast
from hifigan_ref.errors import HifiError

THRESHOLD = 20  # above which softplus(x) is x in float32
EXACT = 40  # above which it is in float64


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


def leaky_relu(graph: Builder, name: str, x: ir.Value, negative_slope: float = 0.01) -> ir.Value:
    """X, or negative_slope x below 0."""
    return graph.op(name, "LeakyRelu", [x], shape_of(x), {"alpha": negative_slope})


def prelu(graph: Builder, name: str, x: ir.Value, weight: Constant) -> ir.Value:
    """LeakyReLU with a slope for each channel, (C,)."""
    slope = weight.array.reshape(-1, *[1] * (len(shape_of(x)) - 2))
    inputs = [x, graph.given(Constant(f"{weight.name}.by_channel", slope))]
    return graph.op(name, "PRelu", inputs, shape_of(x))


def elu(graph: Builder, name: str, x: ir.Value, alpha: float = 1.0) -> ir.Value:
    """X, or alpha (e^x - 1) below 0."""
    return graph.op(name, "Elu", [x], shape_of(x), {"alpha": alpha})


def silu(graph: Builder, name: str, x: ir.Value) -> ir.Value:
    """X sigmoid(x)."""
    return multiply(graph, name, x, of_one("Sigmoid")(graph, f"{name}.gate", x))


def softplus(
    graph: Builder, name: str, x: ir.Value, beta: float = 1, threshold: float = THRESHOLD
) -> ir.Value:
    """log(1 + e^(beta x)) / beta."""
    if threshold < THRESHOLD:
        raise HifiError(
            f"softplus with threshold {threshold:g} is another function: leave it at {THRESHOLD}"
        )
    if beta == 1:
        return of_one("Softplus")(graph, name, x)
    scaled = multiply(graph, f"{name}.scaled", x, beta)
    return divide(graph, name, of_one("Softplus")(graph, f"{name}.plus", scaled), beta)


def clamp(
    graph: Builder,
    name: str,
    x: ir.Value,
    min: float | None = None,  # noqa: A002 - as PyTorch calls them
    max: float | None = None,  # noqa: A002
) -> ir.Value:
    """X between two bounds."""
    bounds = [None if bound is None else graph.given(bound) for bound in (min, max)]
    while bounds and bounds[-1] is None:
        bounds.pop()
    return graph.op(name, "Clip", [x, *bounds], shape_of(x))


def hardtanh(
    graph: Builder, name: str, x: ir.Value, min_val: float = -1.0, max_val: float = 1.0
) -> ir.Value:
    """X between two bounds."""
    return clamp(graph, name, x, min_val, max_val)


def relu6(graph: Builder, name: str, x: ir.Value) -> ir.Value:
    """X between 0 and 6."""
    return clamp(graph, name, x, 0.0, 6.0)


def gelu(graph: Builder, name: str, x: ir.Value, approximate: str = "none") -> ir.Value:
    """X times the normal distribution's share below x; composed below opset 20."""
    if graph.opset >= 20:
        return graph.op(name, "Gelu", [x], shape_of(x), {"approximate": approximate})
    if approximate == "none":  # (1 + erf(x / sqrt 2)) x / 2
        scale = of_one("Sqrt")(graph, f"{name}.scale", graph.given(0.5))
        inner = multiply(graph, f"{name}.scaled", x, scale)
        share = of_one("Erf")(graph, f"{name}.erf", inner)
    else:  # (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3))) x / 2
        cube = multiply(graph, f"{name}.cube", square(graph, f"{name}.square", x), x)
        small = multiply(graph, f"{name}.small", cube, 0.044715)
        total = add(graph, f"{name}.sum", x, small)
        inner = multiply(graph, f"{name}.scaled", total, 0.7978845608028654)
        share = of_one("Tanh")(graph, f"{name}.tanh", inner)
    half = multiply(graph, f"{name}.half", x, 0.5)
    return multiply(graph, name, half, add(graph, f"{name}.share", share, 1.0))


def same(_graph: Builder, _name: str, x: ir.Value, *_: Any, **__: Any) -> ir.Value:
    """Nothing: where the tensor lies in memory, or whether it has a gradient."""
    return x


def dropout(
    _graph: Builder, _name: str, x: ir.Value, p: float = 0.5, training: bool = True
) -> ir.Value:
    """Nothing, of a module that does not train."""
    if training and p:
        raise HifiError("dropout of a module that trains: call eval() on it first")
    return x


def _div(a: Tensor, b: Tensor) -> Tensor:
    return torch.div(a, b) if a.is_floating_point() else torch.div(a, b, rounding_mode="trunc")


def _mod(a: Tensor, b: Tensor, fmod: int = 0) -> Tensor:
    return torch.fmod(a, b) if fmod else torch.remainder(a, b)


def _clip(x: Tensor, low: Tensor | None = None, high: Tensor | None = None) -> Tensor:
    above = x if low is None else torch.maximum(x, low)
    return above if high is None else torch.minimum(above, high)


def _extreme(function: Callable[[Tensor, Tensor], Tensor]) -> Callable[..., Tensor]:
    def of_many(first: Tensor, *rest: Tensor) -> Tensor:
        for other in rest:
            first = function(first, other)
        return first

    return of_many


def _unary(op_type: str, meaning: Callable[..., Tensor], *names: str) -> Operation:
    return Operation(op_type, meaning, "elementwise", dict.fromkeys(names, of_one(op_type)))


def _row(op_type: str, meaning: Callable[..., Any], **writers: Writer) -> Operation:
    return Operation(op_type, meaning, "elementwise", writers)


KEPT = ("contiguous", "detach", "clone", "float", "cpu")

OPERATIONS = (
    _unary("Abs", torch.abs, "abs", "absolute"),
    _unary("Ceil", torch.ceil, "ceil"),
    _unary("Cos", torch.cos, "cos"),
    _unary("Erf", torch.erf, "erf", "special_erf"),
    _unary("Exp", torch.exp, "exp"),
    _unary("Floor", torch.floor, "floor"),
    _unary("Log", torch.log, "log"),
    _unary("Neg", torch.neg, "neg", "negative"),
    _unary("Relu", torch.relu, "relu"),
    _unary("Round", torch.round, "round"),
    _unary("Sigmoid", torch.sigmoid, "sigmoid", "special_expit"),
    _unary("Sign", torch.sign, "sign"),
    _unary("Sin", torch.sin, "sin"),
    _unary("Softsign", F.softsign, "softsign"),
    _unary("Sqrt", torch.sqrt, "sqrt"),
    _unary("Tanh", torch.tanh, "tanh"),
    _row("Add", torch.add, add=add, radd=from_other(add)),
    _row("Sub", torch.sub, sub=subtract, subtract=subtract, rsub=from_other(subtract)),
    _row(
        "Mul", torch.mul, mul=multiply, multiply=multiply, rmul=multiply, square=square, silu=silu
    ),
    _row(
        "Div",
        _div,
        div=divide,
        divide=divide,
        true_divide=divide,
        truediv=divide,
        rtruediv=from_other(divide),
    ),
    _row("Pow", torch.pow, pow=power, rpow=from_other(power)),
    _row("Min", _extreme(torch.minimum), minimum=least),
    _row("Max", _extreme(torch.maximum), maximum=most),
    _row("Mod", _mod),
    _row("Reciprocal", torch.reciprocal, reciprocal=of_one("Reciprocal"), rsqrt=rsqrt),
    _row(
        "LeakyRelu", lambda x, alpha=0.01: torch.where(x > 0, x, alpha * x), leaky_relu=leaky_relu
    ),
    _row("PRelu", lambda x, slope: torch.where(x > 0, x, slope * x), prelu=prelu),
    _row("Elu", lambda x, alpha=1.0: F.elu(x, alpha), elu=elu),
    _row("Softplus", lambda x: F.softplus(x, threshold=EXACT), softplus=softplus),
    _row("Clip", _clip, clamp=clamp, clip=clamp, hardtanh=hardtanh, relu6=relu6),
    _row("Gelu", lambda x, approximate="none": F.gelu(x, approximate=approximate), gelu=gelu),
    Operation(
        "Dropout",
        lambda x, *_, **__: x,
        "free",
        {"dropout": dropout, "dropout1d": dropout, "dropout2d": dropout},
    ),
    Operation("Identity", lambda x: x, "free", dict.fromkeys(KEPT, same)),
)
