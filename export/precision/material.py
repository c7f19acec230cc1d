"""A float32 graph with everything that its layers need to be written in other precisions.

1. Layers that may be int8 read channels of one loudness, before rewrites.
2. Rewrites; those that add values up are for float32 layers alone.
3. What those layers read on calibration audio, and the ranges of it.
4. Nothing that an fp16 layer computes there is beyond fp16.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np
import onnx_ir as ir

from export.lowering.lower import lower
from export.lowering.rule import Form, moving
from export.precision.calibration import Calibration
from export.precision.correct import correct
from export.precision.equalize import equalize
from export.precision.layers import CONVOLUTIONS, Layers, in_nodes
from export.precision.narrow import TYPES, narrow
from export.precision.plan import PrecisionPlan
from export.precision.quantize import quantize
from export.precision.ranges import Range, best_range
from export.precision.samples import Samples, fitting, samples, values
from hifigan_ref.errors import HifiError

LARGEST_FP16 = float(np.finfo(np.float16).max)


@dataclass(frozen=True, eq=False)
class Material:
    """What ``write`` takes.

    Attributes:
        graph: in float32, rewritten.
        plan: types of inputs, outputs and integers; calibration audio.
        held: what convolutions read that may be int8.
        ranges: of the same.
    """

    graph: ir.Model
    plan: PrecisionPlan
    held: Samples = field(default_factory=dict)
    ranges: Mapping[str, Range] = field(default_factory=dict)


def prepare(
    model: ir.Model, layers: Layers, plan: PrecisionPlan, forms: Mapping[str, Form]
) -> Material:
    """Everything for these layers, and for any that have less of them in int8.

    Args:
        model: the plain graph in float32.
        layers: the least precise that will be asked for.
        plan: types of inputs, outputs and integers; calibration audio.
        forms: rewrites of convolutions.

    Raises:
        HifiError: activations are beyond fp16, or the calibration audio is refused.
    """
    eighths = {name for name, precision in layers.items() if precision == "int8"}
    if eighths:
        model = equalize(model, eighths, fitting(model, plan.calibration), plan.activations)
    if forms:
        exact = {name for name, precision in layers.items() if precision == "fp32"}
        model = lower(model, {name: f if name in exact else moving(f) for name, f in forms.items()})
    nodes = in_nodes(model, layers)
    halves = [name for name, precision in nodes.items() if precision == "fp16"]
    if halves:
        check_reach(model, halves, plan.calibration)
    if not eighths:
        return Material(model, plan)
    reads = _reads(model, [name for name, precision in nodes.items() if precision == "int8"])
    held = samples(model, reads, fitting(model, plan.calibration))
    _check_sound(reads, held, plan.calibration)
    ranges = {name: best_range(x, plan.activations) for name, x in held.items()}
    return Material(model, plan, held, ranges)


def write(material: Material, layers: Layers) -> ir.Model:
    """The graph with each layer in its precision.

    Raises:
        HifiError: a weight is beyond fp16.
    """
    model, plan = material.graph, material.plan
    nodes = in_nodes(model, layers)
    eighths = [name for name, precision in nodes.items() if precision == "int8"]
    if eighths:
        corrected = correct(model, eighths, material.held, material.ranges)
        ranges = {name: material.ranges[name] for name in _reads(model, eighths)}
        model = quantize(corrected, eighths, ranges, plan.activations)
    if set(nodes.values()) & {"fp16", "bf16"}:
        model = narrow(model, nodes, TYPES[plan.base] if plan.io == "same" else TYPES["fp32"])
    return model


def check_reach(model: ir.Model, nodes: Iterable[str], calibration: Calibration) -> None:
    """Raises HifiError for the first convolution whose output is beyond fp16."""
    chosen = set(nodes)
    made = {
        node.outputs[0].name or "": node.name
        for node in model.graph
        if node.name in chosen and node.op_type in CONVOLUTIONS
    }
    reach = dict.fromkeys(made, 0.0)
    for each in values(model, made, fitting(model, calibration)):
        for name, array in each.items():
            reach[name] = max(reach[name], float(np.abs(array).max()))
    for name, largest in reach.items():
        if not largest <= LARGEST_FP16:
            raise HifiError(
                f"layer {made[name]} computes {largest:.3g} on the calibration audio "
                f"({calibration}), beyond fp16's {LARGEST_FP16:.0f}: keep it in fp32 with a "
                "precision plan, or choose bf16"
            )


def _reads(model: ir.Model, nodes: Iterable[str]) -> dict[str, str]:
    """Name of a tensor that is read, and of the convolution that reads it."""
    chosen = set(nodes)
    return {
        node.inputs[0].name or "": node.name or ""
        for node in model.graph
        if node.name in chosen and node.inputs[0] is not None
    }


def _check_sound(reads: Mapping[str, str], held: Samples, calibration: Calibration) -> None:
    for name, array in held.items():
        if not array.any():
            raise HifiError(
                f"layer {reads[name]} reads nothing but zeros on the calibration audio "
                f"({calibration}): give other audio with --calibration"
            )
