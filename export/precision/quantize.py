"""A graph of which some convolutions compute in int8: Q/DQ around them, by onnxruntime's library.

Weights are int8, a scale for each output channel. What a convolution computes stays in float32
until the next one quantizes it, activation done: rounding it before costs more than it saves. Who
else reads it, as a feature map is read, gets it as it was before that.
"""

from collections.abc import Collection, Mapping

import onnx_ir as ir

from export.operators.table import is_weighted
from export.precision.ranges import Range
from export.targets import Activations
from hifigan_ref.errors import HifiError

SHAPED_AS_INPUT = frozenset({"QuantizeLinear", "DequantizeLinear"})


def quantize(
    model: ir.Model, nodes: Collection[str], ranges: Mapping[str, Range], activations: Activations
) -> ir.Model:
    """The graph with Q/DQ.

    Args:
        model: in float32.
        nodes: names of the convolutions.
        ranges: of every tensor that one of them reads.
        activations: type that they are quantized to.

    Raises:
        HifiError: one of them is written as a matrix product.
    """
    for node in model.graph:
        if node.name in nodes and node.op_type == "MatMul":
            raise HifiError(
                f"layer {node.name} is written as a matrix product, which is not for int8: choose "
                "another form of it, or another precision"
            )
    from onnxruntime.quantization import (
        CalibrationMethod,
        QDQQuantizer,
        QuantType,
        TensorData,
        TensorsData,
    )

    types = {"uint8": QuantType.QUInt8, "int8": QuantType.QInt8}
    kinds = sorted({node.op_type for node in model.graph if node.name in nodes})
    told = {name: TensorData(lowest=_f(r.low), highest=_f(r.high)) for name, r in ranges.items()}
    quantizer = QDQQuantizer(
        ir.to_proto(model),
        per_channel=True,
        reduce_range=False,
        weight_qType=QuantType.QInt8,
        activation_qType=types[activations],
        tensors_range=TensorsData(CalibrationMethod.MinMax, told),
        nodes_to_quantize=list(nodes),
        nodes_to_exclude=[],
        op_types_to_quantize=kinds,
        extra_options={
            "ActivationSymmetric": activations == "int8",
            "WeightSymmetric": True,
            "QuantizeBias": False,
            "OpTypesToExcludeOutputQuantization": kinds,
        },
    )
    quantizer.quantize_model()
    made = ir.from_proto(quantizer.model.model)
    _let_others_read_floats(made.graph)
    made = _shaped(made)
    made.producer_name, made.producer_version = model.producer_name, model.producer_version
    made.graph.name, made.ir_version = model.graph.name, model.ir_version
    return made


def _f(value: float) -> object:
    import numpy as np

    return np.float32(value)


def _let_others_read_floats(graph: ir.Graph) -> None:
    """The library gives every reader of a quantized tensor what rounding left of it."""
    for node in graph:
        given = node.inputs[0] if node.op_type == "DequantizeLinear" else None
        quantizer = None if given is None else given.producer()
        if quantizer is None or quantizer.inputs[0] is None:
            continue
        rounded, before = node.outputs[0], quantizer.inputs[0]
        for use in tuple(rounded.uses()):
            if not is_weighted(use.node):
                use.node.replace_input_with(use.idx, before)
        for place, output in enumerate(graph.outputs):
            if output is rounded:
                rounded.name, before.name = f"{rounded.name}.rounded", rounded.name
                before.shape, before.type = rounded.shape, rounded.type
                graph.outputs[place] = before


def _shaped(model: ir.Model) -> ir.Model:
    """Types and shapes of what the library put in, and none of its remarks."""
    model.metadata_props.clear()
    model.graph.sort()
    for node in model.graph:
        if node.op_type not in SHAPED_AS_INPUT:
            continue
        (output,), given = node.outputs, node.inputs[0]
        assert given is not None
        if output.shape is None:
            output.shape = given.shape
        if node.op_type == "DequantizeLinear":
            output.dtype = ir.DataType.FLOAT
        elif node.inputs[2] is not None and node.inputs[2].dtype is not None:
            output.dtype = node.inputs[2].dtype
    return model
