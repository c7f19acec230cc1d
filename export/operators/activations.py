"""Activations, and what does nothing in a network that does not train."""

from typing import Any

import onnx_ir as ir
import torch
import torch.nn.functional as F
from torch import Tensor

from export.builder import Builder, Constant, shape_of
from export.operators.arithmetic import add, divide, elementwise, multiply, of_one, square, unary
from export.operators.operation import Operation
from export.operators.reach import pointwise
from hifigan_ref.errors import HifiError

THRESHOLD = 20  # above which softplus(x) is x in float32
EXACT = 40  # above which it is in float64
SIGMOID = of_one("Sigmoid")


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
    return multiply(graph, name, x, SIGMOID(graph, f"{name}.gate", x))


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


def _clip(x: Tensor, low: Tensor | None = None, high: Tensor | None = None) -> Tensor:
    bounds = [None if bound is None else bound.item() for bound in (low, high)]
    return x if bounds == [None, None] else torch.clamp(x, *bounds)


def _prelu(x: Tensor, slope: Tensor) -> Tensor:
    return torch.relu(x) - slope * torch.relu(-x)


def _gelu(x: Tensor, approximate: str = "none") -> Tensor:
    return F.gelu(x, approximate=approximate)


KEPT = ("contiguous", "detach", "clone", "float", "cpu")
DROPOUTS = ("dropout", "dropout1d", "dropout2d")

OPERATIONS = (
    unary("Relu", torch.relu, "relu"),
    unary("Softsign", F.softsign, "softsign"),
    unary("Tanh", torch.tanh, "tanh"),
    elementwise("Sigmoid", torch.sigmoid, sigmoid=SIGMOID, special_expit=SIGMOID, silu=silu),
    elementwise("LeakyRelu", lambda x, alpha=0.01: F.leaky_relu(x, alpha), leaky_relu=leaky_relu),
    elementwise("PRelu", _prelu, prelu=prelu),
    elementwise("Elu", lambda x, alpha=1.0: F.elu(x, alpha), elu=elu),
    elementwise("Softplus", lambda x: F.softplus(x, threshold=EXACT), softplus=softplus),
    elementwise("Clip", _clip, clamp=clamp, clip=clamp, hardtanh=hardtanh, relu6=relu6),
    elementwise("Gelu", _gelu, gelu=gelu),
    Operation(
        "Dropout", lambda x, *_, **__: x, "free", dict.fromkeys(DROPOUTS, dropout), reach=pointwise
    ),
    Operation("Identity", lambda x: x, "free", dict.fromkeys(KEPT, same), reach=pointwise),
)
