"""Nodes that weigh as layers of ``torch.nn``, with what their pads need around them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import onnx_ir as ir
from torch import Tensor, nn

from hifigan_ref.errors import HifiError

MOST_AXES = 4  # of a weight: layers over three axes are none that a plan names


@dataclass(frozen=True)
class Layer:
    """A layer, with a pad in front of it or a cut behind it where its own are not alike.

    Attributes:
        module: of ``torch.nn``.
        before: zeros around its input, (before, after) from the last axis to the first.
        after: the same around its output: less than none cuts.
    """

    module: nn.Module
    before: tuple[int, ...] = ()
    after: tuple[int, ...] = ()


def layer_of(node: ir.Node, given: Sequence[Tensor | None]) -> Layer | None:
    """The layer that a node is; None where its weight depends on an input, or it weighs nothing.

    Args:
        node: of a graph.
        given: its inputs where no input of the graph decides them.

    Raises:
        HifiError: a way to use it that ``torch.nn`` has not.
    """
    made = MAKERS.get(node.op_type)
    weight = given[1] if len(given) > 1 else None
    if made is None or node.domain or weight is None or weight.ndim > MOST_AXES:
        return None
    bias = given[2] if len(given) > 2 else None
    if len(node.inputs) > 2 and node.inputs[2] is not None and bias is None:
        return None
    attributes = {name: attribute.value for name, attribute in node.attributes.items()}
    return made(weight, bias, attributes)


def _filled(layer: Any, weight: Tensor, bias: Tensor | None) -> nn.Module:
    layer.weight.data = weight.clone()
    if bias is not None:
        layer.bias.data = bias.clone()
    filled: nn.Module = layer
    return filled


def _pads(attributes: dict[str, Any], rank: int) -> tuple[list[int], list[int]]:
    if attributes.get("auto_pad", "NOTSET") not in {"NOTSET", "VALID"}:
        raise HifiError(f"auto_pad {attributes['auto_pad']}: export it with pads in numbers")
    pads = list(attributes.get("pads", [0] * (2 * rank)))
    return pads[:rank], pads[rank:]


def _conv(weight: Tensor, bias: Tensor | None, attributes: dict[str, Any]) -> Layer:
    rank = weight.ndim - 2
    before, after = _pads(attributes, rank)
    alike = before == after
    groups = attributes.get("group", 1)
    kind: Any = (nn.Conv1d, nn.Conv2d)[rank - 1]
    layer = kind(
        weight.shape[1] * groups,
        weight.shape[0],
        tuple(weight.shape[2:]),
        tuple(attributes.get("strides", [1] * rank)),
        tuple(before) if alike else 0,
        tuple(attributes.get("dilations", [1] * rank)),
        groups,
        bias is not None,
    )
    filled = _filled(layer, weight, bias)
    return Layer(filled) if alike else Layer(filled, before=_flat(before, after))


def _conv_transpose(weight: Tensor, bias: Tensor | None, attributes: dict[str, Any]) -> Layer:
    if "output_shape" in attributes:
        raise HifiError("ConvTranspose with output_shape: export it with pads in numbers")
    rank = weight.ndim - 2
    before, after = _pads(attributes, rank)
    alike = before == after
    groups = attributes.get("group", 1)
    ends = list(attributes.get("output_padding", [0] * rank))
    kind: Any = (nn.ConvTranspose1d, nn.ConvTranspose2d)[rank - 1]
    layer = kind(
        weight.shape[0],
        weight.shape[1] * groups,
        tuple(weight.shape[2:]),
        tuple(attributes.get("strides", [1] * rank)),
        tuple(before) if alike else 0,
        tuple(ends) if alike else 0,
        groups,
        bias is not None,
        tuple(attributes.get("dilations", [1] * rank)),
    )
    filled = _filled(layer, weight, bias)
    if alike:
        return Layer(filled)
    if any(end > pad for end, pad in zip(ends, after, strict=True)):
        raise HifiError("ConvTranspose whose end no tap reaches: export it with equal pads")
    cut = _flat([-p for p in before], [e - p for e, p in zip(ends, after, strict=True)])
    return Layer(filled, after=cut)


def _flat(before: Sequence[int], after: Sequence[int]) -> tuple[int, ...]:
    pairs = zip(reversed(before), reversed(after), strict=True)
    return tuple(each for pair in pairs for each in pair)


def _linear(matrix: Tensor, bias: Tensor | None) -> Layer:
    layer = nn.Linear(matrix.shape[0], matrix.shape[1], bias is not None)
    return Layer(_filled(layer, matrix.T.contiguous(), bias))


def _matmul(weight: Tensor, bias: Tensor | None, attributes: dict[str, Any]) -> Layer | None:
    del bias, attributes
    return _linear(weight, None) if weight.ndim == 2 else None


def _gemm(weight: Tensor, bias: Tensor | None, attributes: dict[str, Any]) -> Layer | None:
    matrix = weight.T if attributes.get("transB", 0) else weight
    plain = attributes.get("alpha", 1.0) == attributes.get("beta", 1.0) == 1
    if attributes.get("transA", 0) or not plain or (bias is not None and bias.ndim != 1):
        return None
    return _linear(matrix, bias)


MAKERS: dict[str, Callable[[Tensor, Tensor | None, dict[str, Any]], Layer | None]] = {
    "Conv": _conv,
    "ConvTranspose": _conv_transpose,
    "MatMul": _matmul,
    "Gemm": _gemm,
}
