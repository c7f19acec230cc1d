"""A folded network as an ONNX graph."""

from collections.abc import Sequence
from itertools import zip_longest

import onnx_ir as ir
from torch import nn

from export.builder import Extent, shape_in_graph, shape_of
from export.frontend.tracing import trace
from export.interface import interface
from export.request import ExportRequest
from export.spectrograms import say


def to_onnx(network: nn.Module, request: ExportRequest) -> ir.Model:
    """The request's graph around a network without norms."""
    function, signature = interface(network, request), request.signature
    inputs = {port.name: shape_in_graph(port, request.sizes) for port in signature.inputs}

    def rename(path: str) -> str:
        return request.variant.node(path.removeprefix("network."))

    outputs = [port.name for port in signature.outputs]
    model = trace(function, inputs, request.opset, str(request.variant), rename, outputs)
    for value, port in zip(model.graph.inputs, signature.inputs, strict=True):
        say(value, port.recipe)
    for value, port in zip(model.graph.outputs, signature.outputs, strict=True):
        _name_axes(value, shape_in_graph(port, request.sizes))
    return model


def _name_axes(value: ir.Value, told: Sequence[Extent]) -> None:
    """Axes of an output that tracing left without a name get the signature's, or one of theirs."""
    extents = [
        extent if found is None and isinstance(extent, str) else found
        for found, extent in zip_longest(shape_of(value), told)
    ]
    unknown = [place for place, extent in enumerate(extents) if extent is None and place]
    for place in unknown:
        extents[place] = f"{value.name}_frames{f'_{place}' if place != unknown[0] else ''}"
    first, *rest = extents
    value.shape = ir.Shape([f"{value.name}_items" if first is None else first, *rest])
