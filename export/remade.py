"""What a graph that is written anew keeps of the one that it is made of."""

from collections.abc import Sequence

import onnx_ir as ir

from export.builder import Builder

REAL = frozenset({ir.DataType.FLOAT, ir.DataType.FLOAT16, ir.DataType.BFLOAT16})


def in_type(value: ir.Value, real: ir.DataType) -> ir.DataType:
    """A value's type, where all real numbers are of one type."""
    return real if value.dtype is None or value.dtype in REAL else value.dtype


def same_input(value: ir.Value, real: ir.DataType) -> ir.Value:
    """An input of the same name, shape and recipe."""
    made = ir.val(value.name, in_type(value, real), value.shape)
    made.metadata_props.update(value.metadata_props)
    return made


def remade(
    old: ir.Model, graph: Builder, inputs: Sequence[ir.Value], outputs: Sequence[ir.Value]
) -> ir.Model:
    """The model of a graph, with the opset, the versions and the name of the old one."""
    made = ir.Graph(
        inputs,
        outputs,
        nodes=graph.nodes,
        initializers=graph.initializers,
        opset_imports=dict(old.opset_imports),
        name=old.graph.name,
    )
    return ir.Model(
        made,
        ir_version=old.ir_version,
        producer_name=old.producer_name,
        producer_version=old.producer_version,
    )
