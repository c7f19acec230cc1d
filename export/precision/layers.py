"""The precision of every convolution of a graph, by the plan that was asked for."""

from collections.abc import Iterable, Mapping
from dataclasses import replace

import onnx_ir as ir

from export.lowering.convolution import read
from export.lowering.plan import layer_name
from export.operators.table import is_weighted
from export.precision.budget import GraphPrecision
from export.precision.plan import PrecisionPlan
from hifigan_ref.errors import HifiError
from hifigan_ref.variant import Variant

Layers = Mapping[str, GraphPrecision]
"""A precision for each layer, by the name of its convolution in the plain graph."""


def resolve(model: ir.Model, plan: PrecisionPlan, variant: Variant) -> dict[str, GraphPrecision]:
    """A precision for each convolution, by name of its node.

    Args:
        model: the plain graph.
        plan: what was asked for.
        variant: which network it is.

    Raises:
        HifiError: a layer is named that the network does not have.
    """
    convolutions = [read(node) for node in model.graph if node.op_type == "Conv"]
    named = plan.named(variant)
    unknown = sorted(set(named) - {conv.name for conv in convolutions})
    if unknown:
        raise HifiError(
            f"the precision plan names {', '.join(unknown)}, which {variant} does not have: it has "
            f"{', '.join(conv.name for conv in convolutions)}"
        )
    return {conv.name: named.get(conv.name, plan.of(conv.channels)) for conv in convolutions}


def stated(plan: PrecisionPlan, variant: Variant, asked: Layers, kept: Layers) -> PrecisionPlan:
    """The plan of this network alone; it also names layers that did not become what was asked."""
    other = {name: precision for name, precision in kept.items() if precision != asked[name]}
    named = {**plan.named(variant), **other}
    return replace(plan, layers={layer_name(variant, name): each for name, each in named.items()})


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
