"""Convolutions and transposed ones."""

from collections.abc import Callable, Sequence
from math import prod
from typing import Any

import onnx_ir as ir
import torch.nn.functional as F
from torch import Tensor

from export.builder import Attribute, Builder, Constant, Extent, shape_of
from export.operators.operation import Operation, Writer
from export.operators.reach_windows import convolution, transposed
from export.operators.shapes import each_axis, windows
from hifigan_ref.errors import HifiError

Amount = int | Sequence[int]
Meaning = Callable[..., Tensor]


def conv(
    graph: Builder,
    name: str,
    x: ir.Value,
    weight: Constant,
    bias: Constant | None = None,
    stride: Amount = 1,
    padding: Amount | str = 0,
    dilation: Amount = 1,
    groups: int = 1,
) -> ir.Value:
    """(N, C_in, *S) -> (N, C_out, *S')."""
    out, _, *kernel = fixed_weight(name, weight).shape
    strides, dilations = (each_axis(each, len(kernel)) for each in (stride, dilation))
    spans = [d * (k - 1) + 1 for d, k in zip(dilations, kernel, strict=True)]
    pads = _pads(padding, spans)
    attributes: dict[str, Attribute] = {
        "kernel_shape": tuple(kernel),
        "strides": strides,
        "pads": tuple(each[side] for side in (0, 1) for each in pads),
        "dilations": dilations,
        "group": groups,
    }
    n, _, *lengths = _batched(name, x, len(kernel))
    shape = (n, out, *windows(lengths, spans, strides, pads))
    return graph.op(name, "Conv", [x, *_weights(graph, weight, bias)], shape, attributes)


def conv_transpose(
    graph: Builder,
    name: str,
    x: ir.Value,
    weight: Constant,
    bias: Constant | None = None,
    stride: Amount = 1,
    padding: Amount = 0,
    output_padding: Amount = 0,
    groups: int = 1,
    dilation: Amount = 1,
) -> ir.Value:
    """(N, C_in, *S) -> (N, C_out, *S')."""
    _, each, *kernel = fixed_weight(name, weight).shape
    strides, pads, ends, dilations = (
        each_axis(amount, len(kernel)) for amount in (stride, padding, output_padding, dilation)
    )
    attributes: dict[str, Attribute] = {
        "kernel_shape": tuple(kernel),
        "strides": strides,
        "pads": (*pads, *pads),
        "dilations": dilations,
        "group": groups,
        "output_padding": ends,
    }
    n, _, *lengths = _batched(name, x, len(kernel))
    spatial = [
        (length - 1) * s - 2 * p + d * (k - 1) + 1 + end if isinstance(length, int) else None
        for length, s, p, d, k, end in zip(
            lengths, strides, pads, dilations, kernel, ends, strict=True
        )
    ]
    inputs = [x, *_weights(graph, weight, bias)]
    return graph.op(name, "ConvTranspose", inputs, (n, each * groups, *spatial), attributes)


def fixed_weight(name: str, weight: Constant) -> Constant:
    """A weight that no input decides.

    Raises:
        HifiError: it is computed from the inputs.
    """
    if not isinstance(weight, Constant):
        raise HifiError(f"{name}: its weight is computed from the inputs: make it a parameter")
    return weight


def _weights(graph: Builder, weight: Constant, bias: Constant | None) -> list[ir.Value]:
    return [graph.given(each) for each in (weight, bias) if each is not None]


def _batched(name: str, x: ir.Value, rank: int) -> tuple[Extent, ...]:
    shape = shape_of(x)
    if len(shape) != rank + 2:
        raise HifiError(
            f"{name}: a tensor of {len(shape)} axes, where batch, channels and {rank} more are "
            "allowed: add the batch with unsqueeze(0)"
        )
    return shape


def _pads(padding: Amount | str, spans: Sequence[int]) -> list[tuple[int, int]]:
    """In front of each axis and behind it; as PyTorch does, the odd one stands behind."""
    if padding == "same":
        return [((span - 1) // 2, span // 2) for span in spans]
    amounts = each_axis(0 if isinstance(padding, str) else padding, len(spans))
    return [(amount, amount) for amount in amounts]


def _conv(x: Tensor, w: Tensor, b: Tensor | None = None, **attributes: Any) -> Tensor:
    rank = w.ndim - 2
    function: Meaning = (F.conv1d, F.conv2d, F.conv3d)[rank - 1]
    before, after = _around(x, w, attributes)
    flat = [p for pair in zip(reversed(before), reversed(after), strict=True) for p in pair]
    one = [1] * rank
    strides, dilations = (tuple(attributes.get(key, one)) for key in ("strides", "dilations"))
    y: Tensor = function(F.pad(x, flat), w, b, strides, 0, dilations, attributes.get("group", 1))
    return y


def _around(x: Tensor, w: Tensor, attributes: dict[str, Any]) -> tuple[list[int], list[int]]:
    rank = w.ndim - 2
    auto = attributes.get("auto_pad", "NOTSET")
    pads = list(attributes.get("pads", [0] * (2 * rank)))
    if not auto.startswith("SAME"):
        return pads[:rank], pads[rank:]
    one = [1] * rank
    sizes = (x.shape[2:], w.shape[2:], attributes.get("strides", one))
    less, more = [], []
    for length, k, s, d in zip(*sizes, attributes.get("dilations", one), strict=True):
        total = max((-(-length // s) - 1) * s + d * (k - 1) + 1 - length, 0)
        less.append(total // 2)
        more.append(total - total // 2)
    return (less, more) if auto == "SAME_UPPER" else (more, less)


def _conv_transpose(x: Tensor, w: Tensor, b: Tensor | None = None, **attributes: Any) -> Tensor:
    rank = w.ndim - 2
    if attributes.get("auto_pad", "NOTSET") != "NOTSET" or "output_shape" in attributes:
        raise HifiError("ConvTranspose with auto_pad or output_shape is not evaluated here")
    function: Meaning = (F.conv_transpose1d, F.conv_transpose2d, F.conv_transpose3d)[rank - 1]
    one = [1] * rank
    strides, dilations = (tuple(attributes.get(key, one)) for key in ("strides", "dilations"))
    y: Tensor = function(x, w, None, strides, 0, 0, attributes.get("group", 1), dilations)
    pads = attributes.get("pads", [0] * (2 * rank))
    ends = attributes.get("output_padding", [0] * rank)
    axes = reversed(range(rank))  # what no tap reaches holds the bias alone
    y = F.pad(y, [p for i in axes for p in (-pads[i], ends[i] - pads[rank + i])])
    return y if b is None else y + b.reshape(-1, *one)


def static_shape(value: ir.Value | None) -> tuple[int, ...]:
    """A shape of which every length is known."""
    assert value is not None and value.shape is not None, "every shape is known"
    return value.shape.numpy()


def _flops_conv(node: ir.Node) -> int:
    """Every output element sums over (channels in / groups) x taps, which is the weight's tail."""
    return 2 * prod(static_shape(node.outputs[0])) * prod(static_shape(node.inputs[1])[1:])


def _flops_transposed(node: ir.Node) -> int:
    """Every input element goes to (channels out / groups) x taps."""
    return 2 * prod(static_shape(node.inputs[0])) * prod(static_shape(node.inputs[1])[1:])


CONVOLUTIONS: dict[str, Writer] = {f"conv{rank}d": conv for rank in (1, 2, 3)}
TRANSPOSED: dict[str, Writer] = {f"conv_transpose{rank}d": conv_transpose for rank in (1, 2, 3)}

OPERATIONS = (
    Operation("Conv", _conv, "weighted", CONVOLUTIONS, _flops_conv, reach=convolution),
    Operation(
        "ConvTranspose",
        _conv_transpose,
        "weighted",
        TRANSPOSED,
        _flops_transposed,
        reach=transposed,
    ),
)
