"""Biases that take back what rounding adds on average.

Rounding what a layer reads, and its weights, moves the mean of each output channel by

    sum over c, taps of (rounded w - w) mean(x_c) + rounded w mean(rounded x_c - x_c)

which its bias subtracts (Nagel et al. 2019, arXiv 1906.04721, with means from calibration audio).
"""

from collections.abc import Mapping

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from export.precision.equalize import WEIGHT_STEPS, grouped, numbers, put
from export.precision.ranges import Range
from export.precision.samples import Samples


def correct(model: ir.Model, held: Samples, ranges: Mapping[str, Range]) -> ir.Model:
    """The graph with other biases for int8 convolutions.

    Args:
        model: in float32.
        held: what they read on calibration audio, by name of the convolution.
        ranges: to which it will be rounded, by the same.
    """
    model = model.clone()
    for node in model.graph:
        name = node.name or ""
        if node.op_type == "Conv" and name in held and len(node.inputs) > 2:
            bias = numbers(node.inputs[2])
            put(node.inputs[2], bias - _drift(node, held[name], ranges[name]))
    return model


def _drift(node: ir.Node, x: NDArray[np.float64], kept: Range) -> NDArray[np.float64]:
    """Change of the mean of each output channel, (C_out,)."""
    weight = grouped(node)
    groups, _, each, _ = weight.shape
    step = np.abs(weight).max(axis=(2, 3), keepdims=True) / WEIGHT_STEPS
    rounded = np.round(weight / np.where(step > 0, step, 1)) * step
    means = (y.mean(axis=(0, 2)).reshape(groups, each) for y in (x, kept.rounded(x)))
    before, after = (
        np.einsum("goc,gc->go", w.sum(axis=3), mean)
        for w, mean in zip((weight, rounded), means, strict=True)
    )
    drift: NDArray[np.float64] = (after - before).reshape(-1)
    return drift
