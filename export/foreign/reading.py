"""An ONNX file of any tool, read whole and checked."""

from collections.abc import Sequence
from pathlib import Path

import onnx
import onnx_ir as ir
from onnx_ir.passes.common import InlinePass, LiftConstantsToInitializersPass

from export.onnx_file import check_size
from export.operators.table import OPERATIONS
from hifigan_ref.errors import HifiError, in_one_line, shown

ROUNDING = frozenset(
    {"DynamicQuantizeLinear", "QuantizeLinear", "MatMulInteger", "ConvInteger", "QLinearConv",
     "QLinearMatMul"}
)  # fmt: skip
NAMED_AT_MOST = 8


def read_graph(path: Path) -> ir.Model:
    """A file's graph without functions, with every constant as an initializer.

    Raises:
        HifiError: it cannot be read, is damaged or contradicts itself, or a part of it is missing.
    """
    try:
        size = path.stat().st_size
    except OSError as error:
        raise HifiError(f"{path} cannot be read: {error.strerror}: give an ONNX file") from None
    check_size(path, size)
    try:
        onnx.checker.check_model(str(path), full_check=True)
        model = ir.external_data.load_to_model(ir.load(path))  # onnxruntime is given no path
        for value in model.graph.initializers.values():
            if value.const_value is not None:
                value.const_value.numpy()  # is read here
    except Exception as error:  # noqa: BLE001 - of protobuf, of onnx's C++ and of files
        raise HifiError(
            f"{path} is no ONNX file that holds together: {in_one_line(error)}: export it again"
        ) from None
    if not model.graph.inputs or not model.graph.outputs:
        raise HifiError(f"{path} has no inputs or no outputs: export it again")
    InlinePass()(model)
    LiftConstantsToInitializersPass(lift_all_constants=True)(model)
    return model


def check_known(path: Path, nodes: Sequence[ir.Node]) -> None:
    """Raises HifiError where some nodes cannot be written again at another opset or precision."""
    branches = sorted({node.op_type for node in nodes if has_graph(node)})
    if branches:
        raise HifiError(
            f"{path} has control flow ({', '.join(branches)}), of which only one branch would be "
            "exported: export it again with lengths as axes, or name a part of it with --prefix"
        )
    rounding = sorted({node.op_type for node in nodes} & ROUNDING)
    if rounding:
        raise HifiError(
            f"{path} is quantized ({', '.join(rounding)}): give the file in float32, and "
            "--precision int8 quantizes it"
        )
    unknown = [node for node in nodes if node.domain or node.op_type not in OPERATIONS]
    if unknown:
        first, kinds = unknown[0], dict.fromkeys(map(_name, unknown))
        others = list(map(shown, kinds))[1:NAMED_AT_MOST]
        more = len(kinds) - 1 - len(others)
        told = ", ".join(others) + (f" and {more} more" if more else "")
        raise HifiError(
            f"{path}: node {shown(first.name or first.outputs[0].name or '')} is a "
            f"{shown(_name(first))}, whose meaning is not known here"
            f"{f', nor that of {told}' if told else ''}: name a part of the file without it with "
            "--prefix, such as dec. for the decoder of a voice, export the file again without it, "
            "or add a row to export/operators"
        )


def has_graph(node: ir.Node) -> bool:
    """Whether a node chooses or repeats a graph of its own."""
    kinds = {ir.AttributeType.GRAPH, ir.AttributeType.GRAPHS}
    return any(attribute.type in kinds for attribute in node.attributes.values())


def _name(node: ir.Node) -> str:
    return f"{node.domain}.{node.op_type}" if node.domain else node.op_type
