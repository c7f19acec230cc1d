"""The precision of every convolution of a graph, by the plan that was asked for."""

from collections.abc import Iterable, Mapping

import onnx_ir as ir

from export.lowering.convolution import read
from export.precision.budget import GraphPrecision
from export.precision.plan import PrecisionPlan
from hifigan_ref.errors import HifiError
from hifigan_ref.variant import Variant

CONVOLUTIONS = ("Conv", "ConvTranspose")


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
    found: dict[str, GraphPrecision] = {}
    for conv in convolutions:
        edge = plan.base == "int8" and 1 in conv.channels
        found[conv.name] = named.get(conv.name, "fp32" if edge else plan.base)
    return found


def layer_of(node: str, layers: Iterable[str]) -> str | None:
    """The layer that a lowered graph's node was written for: ``convs.1.phase`` -> ``convs.1``."""
    return next((name for name in layers if node == name or node.startswith(f"{name}.")), None)


def in_nodes(model: ir.Model, layers: Mapping[str, GraphPrecision]) -> dict[str, GraphPrecision]:
    """The same for the convolutions that rewrites left, by name of their node."""
    found: dict[str, GraphPrecision] = {}
    for node in model.graph:
        if node.op_type in CONVOLUTIONS:
            layer = layer_of(node.name or "", layers)
            assert layer is not None, f"{node.name} belongs to no layer"
            found[node.name or ""] = layers[layer]
    return found
