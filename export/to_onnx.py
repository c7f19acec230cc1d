"""A folded network as an ONNX graph."""

import onnx_ir as ir
from torch import nn

from export.builder import shape_of
from export.frontend.tracing import trace
from export.interface import interface
from export.request import ExportRequest


def to_onnx(network: nn.Module, request: ExportRequest) -> ir.Model:
    """The request's graph around a network without norms."""
    function = interface(network, request)
    shape = (request.batch or "batch", 1, request.samples or "samples")
    inputs = dict.fromkeys(request.inputs, shape)
    scopes = _scopes(request)

    def rename(path: str) -> str:
        for root, scope in scopes.items():
            path = path.replace(root, scope)
        return path.removeprefix("network.")

    model = trace(function, inputs, request.opset, str(request.variant), rename)
    for value in model.graph.outputs:
        _name_axes(value)
    return model


def _name_axes(value: ir.Value) -> None:
    batch, *rest = shape_of(value)
    named = [f"{value.name}_frames" if extent is None else extent for extent in rest]
    value.shape = ir.Shape(["batch" if batch is None else batch, *named])


def _scopes(request: ExportRequest) -> dict[str, str]:
    """What the paths of an ensemble's members begin with, and what they are called instead."""
    variant = request.variant
    return {
        f"network.discriminators.{i}.": "" if variant.member else f"{variant.family}_{member}."
        for i, member in enumerate(variant.members())
    }
