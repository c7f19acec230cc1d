"""A graph of half the bits as a float32 graph that rounds where it does.

onnxruntime has no bf16 convolution on a CPU, and takes the rounding between two fp16 nodes out.
Here each node reads float32 and its result is rounded to the node's type, as on hardware that
multiplies in half and sums in float32.
"""

from typing import TYPE_CHECKING

import numpy as np
import onnx
import onnx_ir as ir

from export.builder import Builder, shape_of
from export.operators.table import moves_only
from export.remade import REAL, in_type, remade, same_input

if TYPE_CHECKING:
    import onnxruntime as ort

HALF = REAL - {ir.DataType.FLOAT}


def is_narrow(model: ir.Model) -> bool:
    """Whether a graph holds anything of half the bits."""
    return any(v.dtype in HALF for node in model.graph for v in node.outputs)


def open_on_cpu(content: bytes) -> "ort.InferenceSession":
    """A file in onnxruntime on the CPU, as it is, or in float32 with every rounding of it."""
    import onnxruntime as ort

    model = ir.from_proto(onnx.ModelProto.FromString(content))
    if is_narrow(model):
        content = ir.to_proto(emulate(model)).SerializeToString()
    return ort.InferenceSession(content, providers=["CPUExecutionProvider"])


def emulate(model: ir.Model) -> ir.Model:
    """The same function of float32 inputs, all of whose nodes onnxruntime has on a CPU."""
    builder = Builder()
    known: dict[ir.Value, ir.Value] = {}
    old = model.graph
    given_inputs: list[ir.Value] = []
    for value in old.inputs:
        given = same_input(value, ir.DataType.FLOAT)
        given_inputs.append(given)
        known[value] = _rounded(builder, given, value) if value.dtype in HALF else given
    for node in old:
        (output,) = node.outputs
        inputs = [
            known[value] if value in known else _constant(builder, value)
            for value in node.inputs
            if value is not None
        ]
        attributes = {key: attribute.value for key, attribute in node.attributes.items()}
        name = output.name or ""
        if node.op_type == "Cast":
            made = inputs[0]
        else:
            dtype = in_type(output, ir.DataType.FLOAT)
            made = builder.op(
                f"{name}.wide", node.op_type, inputs, shape_of(output), attributes, dtype, node.name
            )
        known[output] = _rounded(builder, made, output) if output.dtype in HALF else made
    outputs = []
    for value in old.outputs:
        held = known[value]
        made = builder.op(
            f"{value.name}.out", "Identity", [held], shape_of(value), None, held.dtype
        )
        made.name = value.name
        outputs.append(made)
    return remade(model, builder, given_inputs, outputs)


def _rounded(builder: Builder, value: ir.Value, like: ir.Value) -> ir.Value:
    producer = like.producer()
    if producer is not None and moves_only(producer):
        return value  # nothing is computed
    half = like.dtype
    assert half is not None
    shape = shape_of(like)
    narrow = builder.op(f"{like.name}.half", "Cast", [value], shape, {"to": int(half)}, half)
    to = {"to": int(ir.DataType.FLOAT)}
    return builder.op(f"{like.name}.rounded", "Cast", [narrow], shape, to)


def _constant(builder: Builder, value: ir.Value) -> ir.Value:
    assert value.name is not None and value.const_value is not None
    array = value.const_value.numpy()
    return builder.constant(value.name, array.astype(np.float32) if value.dtype in HALF else array)
