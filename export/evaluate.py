"""What a graph computes, exactly: every real number in float64, operation by operation in PyTorch.

Weights are those that the file holds. Nothing is rounded on the way: a graph of fewer bits is taken
for the function that it rounds, but for the steps of quantizers.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import onnx_ir as ir
import torch
from numpy.typing import NDArray
from torch import Tensor

from export.operators.dtypes import exact
from export.operators.table import operation_of
from hifigan_ref.errors import HifiError


def evaluate(model: ir.Model, inputs: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[np.float64]]:
    """Outputs by name.

    Args:
        model: of operations in the table.
        inputs: arrays by name, of any type of real numbers.

    Raises:
        HifiError: an operation or a way to use it is not known, or an input is missing.
    """
    missing = [value.name for value in model.graph.inputs if value.name not in inputs]
    if missing:
        raise HifiError(f"no input {', '.join(map(str, missing))}: give an array for each")
    known: dict[ir.Value | None, Tensor | None] = {None: None}
    for value in model.graph.inputs:
        known[value] = exact(np.asarray(inputs[str(value.name)]))
    for value in model.graph.initializers.values():
        if value not in known and value.const_value is not None:
            known[value] = exact(value.const_value.numpy())
    with torch.no_grad():
        for node in model.graph:
            made = run_node(node, [known[value] for value in node.inputs], opset_of(model))
            known.update(zip(node.outputs, made, strict=False))
    return {str(value.name): _array(known[value]) for value in model.graph.outputs}


def opset_of(model: ir.Model) -> int:
    """Of ONNX's default domain."""
    return model.opset_imports.get("", model.opset_imports.get("ai.onnx", 1))


def run_node(node: ir.Node, inputs: Sequence[Any], opset: int) -> tuple[Any, ...]:
    """What a node makes of tensors, of symbols or of lengths; None is an input that is left out.

    Raises:
        HifiError: the operation or this way to use it is not known.
    """
    row = operation_of(node)
    attributes = {name: attribute.value for name, attribute in node.attributes.items()}
    if row.opset_matters:
        attributes["opset"] = opset
    made = row.meaning(*inputs, **attributes)
    outputs = made if isinstance(made, tuple) else (made,)
    if any(value.uses() or value.is_graph_output() for value in node.outputs[len(outputs) :]):
        raise HifiError(f"{node.name}: only the first output of {node.op_type} is evaluated")
    return outputs


def _array(tensor: Tensor | None) -> NDArray[np.float64]:
    assert tensor is not None
    return tensor.numpy()
