"""How many convolutions of a file are in which precision."""

from pathlib import Path

import numpy as np
import onnx
import onnx_ir as ir
import pytest
from onnx import TensorProto, helper, numpy_helper

from bench.file_precisions import convolutions_of, counts_claim
from export.precision.held import held


def saved(path: Path, quantized: tuple[str, ...]) -> Path:
    """One convolution of which some factors come out of DequantizeLinear."""
    nodes, names = [], {"x": "x", "w": "w"}
    for name in quantized:
        names[name] = f"{name}.real"
        nodes.append(helper.make_node("DequantizeLinear", [name, "scale"], [names[name]]))
    nodes.append(helper.make_node("Conv", [names["x"], names["w"]], ["out"], name="conv"))
    kinds = {
        name: TensorProto.INT8 if name in quantized else TensorProto.FLOAT for name in ("x", "w")
    }
    weight = np.ones((1, 1, 3), helper.tensor_dtype_to_np_dtype(kinds["w"]))
    graph = helper.make_graph(
        nodes,
        "one",
        [helper.make_tensor_value_info("x", kinds["x"], (1, 1, 8))],
        [helper.make_tensor_value_info("out", TensorProto.FLOAT, (1, 1, 6))],
        [
            numpy_helper.from_array(weight, "w"),
            numpy_helper.from_array(np.array(0.1, np.float32), "scale"),
        ],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)]), path)
    return path


@pytest.mark.parametrize(
    ("quantized", "precision"),
    [((), "fp32"), (("x", "w"), "int8"), (("x",), "fp32 and int8"), (("w",), "fp32 and int8")],
)
def test_a_convolution_is_int8_where_both_its_factors_are(
    tmp_path: Path, quantized: tuple[str, ...], precision: str
) -> None:
    path = saved(tmp_path / "one.onnx", quantized)
    found = convolutions_of(path)
    assert found == {precision: 1}
    assert list(held(ir.load(path)).values()) == [precision], "as the export reads it"
    assert counts_claim(found, {"int8": 1}).holds == (precision == "int8")
