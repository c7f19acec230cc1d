"""Graphs in lesser precisions, without a file."""

import onnx
import onnx_ir as ir
from torch import nn

from export import pipeline
from export.operators.table import is_weighted
from export.request import ExportRequest
from export.to_onnx import to_onnx


def precise(network: nn.Module, request: ExportRequest) -> ir.Model:
    """What a request makes of a folded network, before it is sealed and verified."""
    return pipeline.rewritten(to_onnx(network, request), request)[0]


def checked(model: ir.Model) -> bytes:
    """The bytes of a file that onnx takes, every type and shape in it inferred."""
    content: bytes = ir.to_proto(model).SerializeToString()
    onnx.checker.check_model(content, full_check=True)
    return content


def convolutions(model: ir.Model) -> dict[str, ir.Node]:
    """By name."""
    return {node.name or "": node for node in model.graph if is_weighted(node)}


def value_in(node: ir.Node, index: int) -> ir.Value:
    """An input that is there."""
    value = node.inputs[index]
    assert value is not None
    return value


def array_of(value: ir.Value | None) -> object:
    """What an initializer holds."""
    assert value is not None and value.const_value is not None
    return value.const_value.numpy()
