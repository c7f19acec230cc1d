"""What each convolution of a graph computes in, read from the graph itself."""

from collections.abc import Collection, Mapping

import onnx_ir as ir

from export.operators.table import is_weighted
from export.precision.narrow import TYPES

NAMES: Mapping[ir.DataType, str] = {dtype: name for name, dtype in TYPES.items() if name != "int8"}


def held(model: ir.Model, kinds: Collection[str] = ()) -> dict[str, str]:
    """Precision by name of the node; ``fp32 and int8`` where its two factors differ.

    Args:
        model: of this tool, or of another.
        kinds: operators to look at; () for all that weigh.
    """
    return {
        node.name or node.outputs[0].name or "": _of(node)
        for node in model.graph
        if (node.op_type in kinds if kinds else is_weighted(node))
    }


def _of(node: ir.Node) -> str:
    return " and ".join(sorted({_held(value) for value in node.inputs[:2] if value is not None}))


def _held(value: ir.Value) -> str:
    producer = value.producer()
    if producer is not None and producer.op_type == "DequantizeLinear":
        return "int8"
    return "an unknown type" if value.dtype is None else NAMES.get(value.dtype, str(value.dtype))
