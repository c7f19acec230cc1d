"""A finished float32 graph in the precisions of its layers.

1. fp16 layers: nothing that they compute on calibration audio may be beyond fp16.
2. int8 layers: ranges of what they read, then Q/DQ.
3. fp16 and bf16 layers: casts.
"""

from collections.abc import Iterable, Mapping

import numpy as np
import onnx_ir as ir

from export.precision.budget import GraphPrecision
from export.precision.calibration import Calibration, segments
from export.precision.layers import CONVOLUTIONS, in_nodes
from export.precision.narrow import TYPES, narrow
from export.precision.plan import Activations, PrecisionPlan
from export.precision.quantize import quantize
from export.precision.ranges import Range, best_range, thinned, values
from hifigan_ref.errors import HifiError

LARGEST_FP16 = float(np.finfo(np.float16).max)


def apply(model: ir.Model, layers: Mapping[str, GraphPrecision], plan: PrecisionPlan) -> ir.Model:
    """The graph in its precisions.

    Args:
        model: in float32, lowered or not.
        layers: precision by name of the layer.
        plan: where ranges come from, and types of inputs and outputs.

    Raises:
        HifiError: weights or activations are beyond fp16, or the calibration audio is refused.
    """
    nodes = in_nodes(model, layers)
    halves = [name for name, precision in nodes.items() if precision == "fp16"]
    eighths = [name for name, precision in nodes.items() if precision == "int8"]
    if halves:
        check_reach(model, halves, plan.calibration)
    if eighths:
        ranges = ranges_of(model, eighths, plan.calibration, plan.activations)
        model = quantize(model, eighths, ranges, plan.activations)
    if set(nodes.values()) & {"fp16", "bf16"}:
        model = narrow(model, nodes, TYPES[plan.base] if plan.io == "same" else TYPES["fp32"])
    return model


def ranges_of(
    model: ir.Model, nodes: Iterable[str], calibration: Calibration, activations: Activations
) -> dict[str, Range]:
    """The best range of whatever some convolutions read, by name of the tensor.

    Raises:
        HifiError: the calibration audio is refused, or a tensor holds nothing but zeros on it.
    """
    chosen = set(nodes)
    reads = {
        node.inputs[0].name or "": node.name
        for node in model.graph
        if node.name in chosen and node.inputs[0] is not None
    }
    held: dict[str, list[np.ndarray]] = {name: [] for name in reads}
    for each in values(model, list(reads), segments(calibration)):
        for name, array in each.items():
            held[name].append(thinned(array))
    found = {}
    for name, arrays in held.items():
        joined = np.concatenate(arrays)
        if not joined.any():
            raise HifiError(
                f"layer {reads[name]} reads nothing but zeros on the calibration audio "
                f"({calibration}): give other audio with --calibration"
            )
        found[name] = best_range(joined, symmetric=activations == "int8")
    return found


def check_reach(model: ir.Model, nodes: Iterable[str], calibration: Calibration) -> None:
    """Raises HifiError for the first convolution whose output is beyond fp16."""
    chosen = set(nodes)
    made = {
        node.outputs[0].name or "": node.name
        for node in model.graph
        if node.name in chosen and node.op_type in CONVOLUTIONS
    }
    reach = dict.fromkeys(made, 0.0)
    for each in values(model, list(made), segments(calibration)):
        for name, array in each.items():
            reach[name] = max(reach[name], float(np.abs(array).max()))
    for name, largest in reach.items():
        if not largest <= LARGEST_FP16:
            raise HifiError(
                f"layer {made[name]} computes {largest:.3g} on the calibration audio "
                f"({calibration}), beyond fp16's {LARGEST_FP16:.0f}: keep it in fp32 with a "
                "precision plan, or choose bf16"
            )
