"""PyTorch itself in the precision of a row: the error that stands beside a runtime's.

1. fp16 and bf16: the folded network cast to that type, on the CPU.
2. tf32: what each convolution reads, and its weights, are rounded to 10 bits of mantissa, as a GPU
   does before it multiplies; sums are of float32.
3. int8: PyTorch's fake quantization of what each convolution reads, by the range of that very pass,
   and of its weights, by channel; a layer with one channel in or out stays in float32.
4. By a plan: 3 for its int8 layers; values read, weights and results rounded for those of half the
   bits.

Only the first item of the batch is computed: types that a CPU has no instructions for are slow.
"""

import copy
import hashlib
from collections.abc import Iterator, Mapping
from functools import partial
from typing import TYPE_CHECKING, cast

import numpy as np
from numpy.typing import NDArray

from bench.judge import Arrays
from export.precision.budget import PRECISIONS, Precision
from export.precision.plan import PrecisionPlan
from export.request import ExportRequest
from export.verify import run_torch
from hifigan_ref.variant import Variant

if TYPE_CHECKING:
    from torch import Tensor, dtype, nn

    from hifigan_ref.trained import Conv, Trained

DROPPED = 13  # bits of float32's 23 that TF32 does not hold


def name_of(asked: Precision | PrecisionPlan) -> str:
    """Of what PyTorch computed in a precision, or by a plan."""
    if not isinstance(asked, PrecisionPlan):
        return asked
    return f"plan-{hashlib.sha256(repr(asked).encode()).hexdigest()[:12]}"


def outputs_in(
    asked: Precision | PrecisionPlan,
    trained: "Trained",
    request: ExportRequest,
    inputs: Mapping[str, NDArray[np.float32]],
) -> Arrays:
    """What PyTorch computes of the first item, by name.

    Args:
        asked: the precision of all layers, or a plan's.
        trained: the network, norms in place; left as it is.
        request: of the graph.
        inputs: (N, 1, T) each.
    """
    import torch

    from export.fold import fold
    from export.interface import interface

    first = {name: array[:1] for name, array in inputs.items()}
    module = copy.deepcopy(trained.module)
    fold(module, trained.variant)
    half = None if isinstance(asked, PrecisionPlan) else _half(asked)
    with torch.inference_mode():
        if half is not None:
            function = interface(module.to(half), request)
            given = {name: torch.from_numpy(array).to(half) for name, array in first.items()}
            return {name: each.float().numpy() for name, each in function(**given).items()}
        for conv, precision in _layers(module, asked, trained.variant):
            _round(conv, precision)
    return run_torch(interface(module, request), first)


def _layers(
    module: "nn.Module", asked: Precision | PrecisionPlan, variant: Variant
) -> "Iterator[tuple[Conv, Precision]]":
    """Each convolution and its precision."""
    from hifigan_ref.trained import convolutions

    plan = asked if isinstance(asked, PrecisionPlan) else None
    base: Precision = plan.base if plan else cast("Precision", asked)
    named: Mapping[str, Precision] = plan.layers if plan else {}
    for path, conv in convolutions(module).items():
        name = variant.in_plans(variant.node(path))
        yield conv, named.get(name, "fp32" if base == "int8" and _is_edge(conv) else base)


def _is_edge(layer: "Conv") -> bool:
    """Whether a layer stays as it is where others are int8, as in a plan of that base."""
    from torch import nn

    convolution = isinstance(layer, nn.Conv1d | nn.Conv2d)
    return not convolution or 1 in (layer.in_channels, layer.out_channels)


def _round(conv: "Conv", precision: Precision) -> None:
    """Have a convolution read, hold and give what its precision has."""
    if precision == "fp32":
        return
    if precision == "int8":
        conv.weight.copy_(_quantized_weight(conv.weight))
        conv.register_forward_pre_hook(lambda _, given: (_quantized(given[0]),))
        return
    rounded = partial(_through, half=_half(precision))
    conv.weight.copy_(rounded(conv.weight))
    conv.register_forward_pre_hook(lambda _, given: (rounded(given[0]),))
    if precision != "tf32":
        conv.register_forward_hook(lambda _module, _given, found: rounded(found))


def _half(precision: Precision) -> "dtype | None":
    """Its type of half the bits, if it has one."""
    return PRECISIONS[precision].dtype if precision in ("fp16", "bf16") else None


def _through(values: "Tensor", half: "dtype | None") -> "Tensor":
    """Rounded to a type of half the bits, or to TF32: to nearest, ties away from zero."""
    import torch

    if half is not None:
        return values.to(half).float()
    bits = values.contiguous().view(torch.int32) + (1 << (DROPPED - 1))
    return (bits & -(1 << DROPPED)).view(torch.float32)


def _quantized(values: "Tensor") -> "Tensor":
    """To 256 steps between the least and the greatest, 0 among them."""
    import torch

    low, high = float(values.min().clamp(max=0)), float(values.max().clamp(min=0))
    scale = max(high - low, 1e-12) / 255
    return torch.fake_quantize_per_tensor_affine(values, scale, round(-low / scale), 0, 255)


def _quantized_weight(weight: "Tensor") -> "Tensor":
    """To 255 steps around 0, of its own for each output channel."""
    import torch

    scales = weight.flatten(1).abs().amax(1).clamp(min=1e-12) / 127
    zeros = torch.zeros_like(scales, dtype=torch.int32)
    return torch.fake_quantize_per_channel_affine(weight, scales, zeros, 0, -127, 127)
