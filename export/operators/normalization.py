"""Tensors brought to one mean and spread, and shares of one."""

from collections.abc import Callable, Sequence

import numpy as np
import onnx_ir as ir
import torch
import torch.nn.functional as F
from torch import Tensor

from export.builder import Builder, Constant, shape_of
from export.operators.arithmetic import add, divide, multiply, of_one, square, subtract
from export.operators.operation import Operation, Writer
from export.operators.order import transpose
from export.operators.reach import everything
from export.operators.reach_axes import layer_norm as layer_reach
from export.operators.reach_axes import normalised
from export.operators.reach_axes import softmax as softmax_reach
from export.operators.reduce import reduce
from export.operators.shape import axis_in, reshape, view_as
from hifigan_ref.errors import HifiError

MEAN = reduce("ReduceMean", 18)


def layer_norm(
    graph: Builder,
    name: str,
    x: ir.Value,
    normalized_shape: Sequence[int],
    weight: Constant | None = None,
    bias: Constant | None = None,
    eps: float = 1e-5,
) -> ir.Value:
    """Over the last axes; composed below opset 17."""
    axes = range(-len(normalized_shape), 0)
    if graph.opset >= 17:
        ones = Constant(f"{name}.ones", np.ones(tuple(normalized_shape), np.float32))
        inputs = [x, *(graph.given(each) for each in (weight or ones, bias) if each is not None)]
        attributes = {"axis": axes[0], "epsilon": eps}
        return graph.op(name, "LayerNormalization", inputs, shape_of(x), attributes)
    centred = subtract(graph, f"{name}.centred", x, MEAN(graph, f"{name}.mean", x, axes, True))
    variance = MEAN(graph, f"{name}.variance", square(graph, f"{name}.square", centred), axes, True)
    spread = of_one("Sqrt")(graph, f"{name}.spread", add(graph, f"{name}.eps", variance, eps))
    scaled = divide(graph, f"{name}.unit", centred, spread)
    if weight is not None:
        scaled = multiply(graph, f"{name}.scaled", scaled, weight)
    return scaled if bias is None else add(graph, name, scaled, bias)


def batch_norm(
    graph: Builder,
    name: str,
    x: ir.Value,
    running_mean: Constant | None,
    running_var: Constant | None,
    weight: Constant | None = None,
    bias: Constant | None = None,
    training: bool = False,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> ir.Value:
    """By the statistics of training, (C,)."""
    del momentum
    if training or running_mean is None or running_var is None:
        raise HifiError(f"{name}: statistics of the batch itself: call eval() on the module first")
    filled = _filled(name, running_mean.shape, weight, bias)
    inputs = [x, *map(graph.given, (*filled, running_mean, running_var))]
    return graph.op(name, "BatchNormalization", inputs, shape_of(x), {"epsilon": eps})


def instance_norm(
    graph: Builder,
    name: str,
    x: ir.Value,
    running_mean: Constant | None = None,
    running_var: Constant | None = None,
    weight: Constant | None = None,
    bias: Constant | None = None,
    use_input_stats: bool = True,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> ir.Value:
    """Each channel of each item alone."""
    if not use_input_stats:
        return batch_norm(
            graph, name, x, running_mean, running_var, weight, bias, False, momentum, eps
        )
    channels = shape_of(x)[1]
    if not isinstance(channels, int):
        raise HifiError(f"{name}: channels of dynamic number: fix axis 1")
    inputs = [x, *map(graph.given, _filled(name, (channels,), weight, bias))]
    return graph.op(name, "InstanceNormalization", inputs, shape_of(x), {"epsilon": eps})


def group_norm(
    graph: Builder,
    name: str,
    x: ir.Value,
    num_groups: int,
    weight: Constant | None = None,
    bias: Constant | None = None,
    eps: float = 1e-5,
) -> ir.Value:
    """Each group of channels of each item alone: (N, C, *S) as (N, groups, L)."""
    groups = reshape(graph, f"{name}.groups", x, [graph.extent(x, 0), num_groups, -1])
    value = instance_norm(graph, f"{name}.unit", groups, eps=eps)
    value = view_as(graph, f"{name}.channels", value, x)
    line = (-1, *[1] * (len(shape_of(x)) - 2))
    for role, writer, each in (("scaled", multiply, weight), ("moved", add, bias)):
        if each is not None:
            by_channel = Constant(f"{each.name}.by_channel", each.array.reshape(line))
            value = writer(graph, f"{name}.{role}", value, by_channel)
    return value


def _filled(
    name: str, shape: tuple[int, ...], weight: Constant | None, bias: Constant | None
) -> tuple[Constant, Constant]:
    return (
        weight or Constant(f"{name}.ones", np.ones(shape, np.float32)),
        bias or Constant(f"{name}.zeros", np.zeros(shape, np.float32)),
    )


def softmax(op_type: str) -> Writer:
    """Shares of one along an axis: below opset 13 it is always the last one in the graph."""

    def write(
        graph: Builder, name: str, x: ir.Value, dim: int, dtype: torch.dtype | None = None
    ) -> ir.Value:
        shape = shape_of(x)
        axis, last = axis_in(name, dim, len(shape)), len(shape) - 1
        if dtype not in {None, torch.float32}:
            raise HifiError(f"{name}: {dtype}: only float32 has an ONNX form here")
        if graph.opset >= 13 or axis == last:
            return graph.op(name, op_type, [x], shape, {"axis": axis})
        turned = transpose(graph, f"{name}.turned", x, axis, last)
        made = graph.op(f"{name}.shares", op_type, [turned], shape_of(turned), {"axis": last})
        return transpose(graph, name, made, axis, last)

    return write


def _layer_norm(
    x: Tensor,
    scale: Tensor,
    bias: Tensor | None = None,
    axis: int = -1,
    epsilon: float = 1e-5,
    stash_type: int = 1,
) -> Tensor:
    del stash_type
    shape = x.shape[axis % x.ndim :]
    given = None if bias is None else bias.expand(shape)
    return F.layer_norm(x, shape, scale.expand(shape), given, epsilon)


def _batch_norm(
    x: Tensor,
    scale: Tensor,
    bias: Tensor,
    mean: Tensor,
    variance: Tensor,
    epsilon: float = 1e-5,
    momentum: float = 0.9,
    training_mode: int = 0,
) -> Tensor:
    del momentum
    if training_mode:
        raise HifiError("BatchNormalization in training mode is not evaluated here")
    return F.batch_norm(x, mean, variance, scale, bias, eps=epsilon)


def _instance_norm(x: Tensor, scale: Tensor, bias: Tensor, epsilon: float = 1e-5) -> Tensor:
    return F.instance_norm(x, weight=scale, bias=bias, eps=epsilon)


def _softmax(function: Callable[..., Tensor]) -> Callable[..., Tensor]:
    def meaning(x: Tensor, opset: int, axis: int | None = None) -> Tensor:
        if opset >= 13:
            return function(x, -1 if axis is None else axis)
        first = (1 if axis is None else axis) % x.ndim
        if first == x.ndim - 1:
            return function(x, -1)
        return function(x.flatten(first), -1).reshape(x.shape)

    return meaning


OPERATIONS = (
    Operation("LayerNormalization", _layer_norm, "other", {"layer_norm": layer_norm},
              reach=layer_reach),
    Operation("BatchNormalization", _batch_norm, "other", {"batch_norm": batch_norm},
              reach=normalised),
    Operation("InstanceNormalization", _instance_norm, "other",
              {"instance_norm": instance_norm, "group_norm": group_norm}, reach=everything),
    Operation("Softmax", _softmax(torch.softmax), "other", {"softmax": softmax("Softmax")},
              opset_matters=True, reach=softmax_reach),
    Operation("LogSoftmax", _softmax(torch.log_softmax), "other",
              {"log_softmax": softmax("LogSoftmax")}, opset_matters=True, reach=softmax_reach),
)  # fmt: skip
