"""The precision of every convolution of a graph, by the plan that was asked for."""

from collections.abc import Iterable, Mapping
from dataclasses import replace

import onnx_ir as ir

from export.lowering.convolution import read
from export.operators.table import is_weighted
from export.precision.budget import GraphPrecision
from export.precision.plan import PrecisionPlan
from hifigan_ref.errors import HifiError
from hifigan_ref.variant import Variant

Layers = Mapping[str, GraphPrecision]
"""A precision for each layer, by the name of its convolution in the plain graph."""


def resolve(model: ir.Model, plan: PrecisionPlan, variant: Variant) -> dict[str, GraphPrecision]:
    """A precision for each layer, by name of its node; int8 is for convolutions alone.

    Args:
        model: the plain graph.
        plan: what was asked for.
        variant: which network it is.

    Raises:
        HifiError: a layer is named that the network does not have, or that cannot be in int8; or
            int8 is asked for, and no layer can be in it.
    """
    layers = {node.name or "": node for node in model.graph if is_weighted(node)}
    named = plan.named(variant)
    unknown = sorted(set(named) - set(layers))
    if unknown:
        raise HifiError(
            f"the precision plan names {', '.join(unknown)}, which {variant} does not have: it has "
            f"{', '.join(layers)}"
        )
    found = {name: named.get(name, _usual(node, plan)) for name, node in layers.items()}
    for name, precision in found.items():
        if precision == "int8" and layers[name].op_type != "Conv":
            raise HifiError(
                f"layer {name} is a {layers[name].op_type}: int8 is for convolutions, choose "
                "another precision for it"
            )
    if plan.base == "int8" and not named and "int8" not in found.values():
        raise HifiError(
            f"{variant} in int8: it is for convolutions with more than one channel in and out, and "
            "there is none: leave out --precision, or choose another"
        )
    return found


def _usual(node: ir.Node, plan: PrecisionPlan) -> GraphPrecision:
    """Of a layer that is not named."""
    if node.op_type == "Conv":
        return plan.of(read(node).channels)
    return "fp32" if plan.base == "int8" else plan.base


def stated(plan: PrecisionPlan, variant: Variant, asked: Layers, kept: Layers) -> PrecisionPlan:
    """The plan of this network alone; it also names layers that did not become what was asked."""
    other = {name: precision for name, precision in kept.items() if precision != asked[name]}
    named = {**plan.named(variant), **other}
    return replace(plan, layers={variant.in_plans(name): each for name, each in named.items()})


def layer_of(node: str, layers: Iterable[str]) -> str | None:
    """The layer that a lowered graph's node was written for: ``convs.1.phase`` -> ``convs.1``."""
    return next((name for name in layers if node == name or node.startswith(f"{name}.")), None)


def in_nodes(model: ir.Model, layers: Mapping[str, GraphPrecision]) -> dict[str, GraphPrecision]:
    """The same for the convolutions that rewrites left, by name of their node."""
    found: dict[str, GraphPrecision] = {}
    for node in model.graph:
        if is_weighted(node):
            layer = layer_of(node.name or "", layers)
            assert layer is not None, f"{node.name} belongs to no layer"
            found[node.name or ""] = layers[layer]
    return found
