"""What a graph computes, exactly: every real number in float64, operation by operation in PyTorch.

Weights are those that the file holds. Nothing is rounded on the way: a graph of fewer bits is taken
for the function that it rounds, but for the steps of quantizers.
"""

from collections.abc import Mapping
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
            made = _run(node, [known[value] for value in node.inputs], _opset(model))
            known.update(zip(node.outputs, made, strict=False))
    return {str(value.name): _array(known[value]) for value in model.graph.outputs}


def _opset(model: ir.Model) -> int:
    return model.opset_imports.get("", model.opset_imports.get("ai.onnx", 1))


def _run(node: ir.Node, inputs: list[Tensor | None], opset: int) -> tuple[Tensor, ...]:
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
