"""A float32 graph with everything that its layers need to be written in other precisions.

What its layers read on calibration audio, and the ranges of it, are those of the plain graph: a
rewrite that only moves values leaves both as they are, and one that adds them up is for float32
layers alone. So a layer may be given any precision and any form after the audio was heard.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from export.lowering.lower import check_known, lower
from export.lowering.rule import Form, moving, quantizable
from export.operators.table import is_weighted
from export.precision.budget import GraphPrecision
from export.precision.calibration import Calibration
from export.precision.correct import correct
from export.precision.equalize import equalize, factors
from export.precision.feeds import hears, takes_speech
from export.precision.layers import Layers, in_nodes, layer_of
from export.precision.narrow import TYPES, narrow
from export.precision.plan import PrecisionPlan
from export.precision.quantize import quantize
from export.precision.ranges import Range, best_range
from export.precision.rescale import loudness_of, rescale
from export.precision.samples import Samples, fitting, samples, values
from hifigan_ref.errors import HifiError

LARGEST_FP16 = float(np.finfo(np.float16).max)

Forms = Mapping[GraphPrecision, Mapping[str, Form]]
"""How a layer of each precision is written, by name; plainly where it is not named."""


@dataclass(frozen=True, eq=False)
class Material:
    """What ``write`` takes.

    Attributes:
        graph: plain, in float32.
        plan: types of inputs, outputs and integers; calibration audio.
        forms: rewrites of convolutions.
        scales: factors of the channels that layers read if they are int8, by name of the layer.
        held: what they read then, at one loudness.
        ranges: of the same.
    """

    graph: ir.Model
    plan: PrecisionPlan
    forms: Forms
    scales: Mapping[str, NDArray[np.float64]] = field(default_factory=dict)
    held: Samples = field(default_factory=dict)
    ranges: Mapping[str, Range] = field(default_factory=dict)


def suiting(forms: Mapping[str, Form]) -> Forms:
    """One plan for all: only float32 has rewrites that add values up, and int8 no products."""
    moved = {name: moving(form) for name, form in forms.items()}
    integers = {name: quantizable(form) for name, form in forms.items()}
    return {"fp32": forms, "fp16": moved, "bf16": moved, "int8": integers}


def prepare(model: ir.Model, layers: Layers, plan: PrecisionPlan, forms: Forms) -> Material:
    """Everything for these layers, and for any that have less of them in int8.

    Args:
        model: the plain graph in float32.
        layers: the least precise that will be asked for.
        plan: types of inputs, outputs and integers; calibration audio.
        forms: rewrites of convolutions.

    Raises:
        HifiError: activations are beyond fp16, the calibration audio is refused, or a form is for
            a layer that is not there.
    """
    if plan.calibration.files and not takes_speech(model):
        raise HifiError(
            f"calibration audio {plan.calibration} for inputs of which none is a waveform (batch, "
            "1, samples): ranges are taken from seeded noise there: leave out --calibration"
        )
    for each in forms.values():
        check_known(model, each)
    eighths = [name for name, precision in layers.items() if precision == "int8"]
    halves = [name for name, precision in layers.items() if precision == "fp16"]
    if not eighths:
        check_reach(model, halves, plan.calibration)
        return Material(model, plan, forms)
    read = reads(model, eighths)
    audio = fitting(model, plan.calibration)
    heard = samples(model, read.values(), audio)
    _check_sound(read, heard, plan.calibration)
    loudness = loudness_of(audio)[:, None, None] if hears(model) else np.float64(1)
    held = {layer: heard[tensor] / loudness for layer, tensor in read.items()}
    scales = factors(model, held, plan.activations)
    check_reach(equalize(model, scales), halves, plan.calibration)
    held |= {layer: held[layer] * k[:, None] for layer, k in scales.items()}
    ranges = {layer: best_range(x, plan.activations) for layer, x in held.items()}
    return Material(model, plan, forms, scales, held, ranges)


Part = Callable[[ir.Model], ir.Model]
"""What a file holds of a plain graph in float32, in which layers keep their names."""


def write(material: Material, layers: Layers, part: Part | None = None) -> ir.Model:
    """The graph, or a part of it, with each layer in its precision and in its form.

    Raises:
        HifiError: a weight is beyond fp16, or a form is refused.
    """
    model = material.graph
    eighths = {name for name, precision in layers.items() if precision == "int8"}
    if eighths:
        model = equalize(model, {n: k for n, k in material.scales.items() if n in eighths})
        held = {name: x for name, x in material.held.items() if name in eighths}
        model = correct(rescale(model, eighths) if hears(model) else model, held, material.ranges)
    model = part(model) if part else model
    forms = {
        name: material.forms[precision][name]
        for name, precision in layers.items()
        if material.forms.get(precision, {}).get(name)
    }
    if forms:
        model = lower(model, forms)
    nodes = in_nodes(model, layers)
    read = reads(model, [name for name, precision in nodes.items() if precision == "int8"])
    ranges = {
        tensor: material.ranges[layer_of(node, layers) or ""] for node, tensor in read.items()
    }
    return lessen(model, nodes, material.plan, ranges)


def lessen(
    model: ir.Model, nodes: Layers, plan: PrecisionPlan, ranges: Mapping[str, Range]
) -> ir.Model:
    """The graph with each convolution in its precision, and nothing done to its errors.

    Args:
        model: in float32, rewritten.
        nodes: precision by name of each convolution.
        plan: types of inputs, outputs and integers.
        ranges: of every tensor that a convolution in int8 reads.

    Raises:
        HifiError: a weight is beyond fp16.
    """
    eighths = [name for name, precision in nodes.items() if precision == "int8"]
    if eighths:
        read = {name: ranges[name] for name in reads(model, eighths).values()}
        model = quantize(model, eighths, read, plan.activations)
    if set(nodes.values()) & {"fp16", "bf16"}:
        model = narrow(model, nodes, TYPES[plan.base] if plan.io == "same" else TYPES["fp32"])
    return model


def check_reach(model: ir.Model, nodes: Iterable[str], calibration: Calibration) -> None:
    """Raises HifiError for the first convolution whose output is beyond fp16."""
    chosen = set(nodes)
    if not chosen:
        return
    made = {
        node.outputs[0].name or "": node.name
        for node in model.graph
        if node.name in chosen and is_weighted(node)
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


def reads(model: ir.Model, nodes: Iterable[str]) -> dict[str, str]:
    """Name of the tensor that each of these convolutions reads, by name of the node."""
    chosen = set(nodes)
    return {
        node.name or "": node.inputs[0].name or ""
        for node in model.graph
        if node.name in chosen and node.inputs[0] is not None
    }


def _check_sound(read: Mapping[str, str], held: Samples, calibration: Calibration) -> None:
    for layer, tensor in read.items():
        if not held[tensor].any():
            raise HifiError(
                f"layer {layer} reads nothing but zeros on the calibration audio "
                f"({calibration}): give other audio with --calibration"
            )
