"""Both forms of the inspector's answer, read by one reader."""

import json

import pytest

from export.engine.layers import convolution_precisions, layer_precisions
from hifigan_ref.errors import HifiError

OLD = {
    "Layers": [
        {
            "Name": "conv",
            "LayerType": "CaskConvolution",
            "Outputs": [{"Name": "t", "Format/Datatype": "Channel major FP16 format"}],
        },
        {"Name": "pad", "Outputs": [{"Name": "u", "Format/Datatype": "Row major linear FP32"}]},
        {"Name": "shape", "Outputs": [{"Name": "v", "Format/Datatype": "Row major Int64"}]},
        {"Name": "quiet", "Outputs": []},
    ],
    "Bindings": ["y", "score"],
}
NEW = {
    "Layers": [
        {"Name": "conv", "Outputs": [{"Name": "t", "DataType": "Half", "Dimensions": [1, 2]}]},
        {"Name": "pad", "Outputs": [{"Name": "u", "DataType": "Float"}]},
        {"Name": "shape", "Outputs": [{"Name": "v", "DataType": "Int64"}]},
        {"Name": "quiet"},
    ],
    "I/O Tensors": [
        {"Name": "y", "IOMode": "Input", "DataType": "Float", "Dimensions": [1, 1, 8]},
        {"Name": "score", "IOMode": "Output", "DataType": "BFloat16"},
    ],
}
LAYERS = {"conv": "fp16", "pad": "fp32", "shape": "int64", "quiet": "untold"}


@pytest.mark.parametrize("form", [OLD, NEW], ids=["Bindings", "I/O Tensors"])
def test_both_forms_tell_the_same(form: dict[str, object]) -> None:
    assert layer_precisions(json.dumps(form)) == LAYERS


def test_an_engine_that_tells_names_only() -> None:
    assert layer_precisions(json.dumps({"Layers": ["conv", "pad"], "Bindings": []})) == {
        "conv": "untold",
        "pad": "untold",
    }


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        ("Row major linear BFloat16 format", "bf16"),
        ("Two wide channel vectorized row major FP16", "fp16"),
        ("Four wide channel vectorized INT8", "int8"),
        ("FP8", "fp8"),
        ("Bool", "bool"),
        ("something new", "untold"),
    ],
)
def test_spellings(told: str, expected: str) -> None:
    layer = {"Name": "l", "Outputs": [{"Format/Datatype": told}]}
    assert layer_precisions(json.dumps({"Layers": [layer]})) == {"l": expected}


@pytest.mark.parametrize("text", ["", "conv: FP32", "[1]"])
def test_something_else_is_an_error(text: str) -> None:
    with pytest.raises(HifiError, match="no JSON"):
        layer_precisions(text)


@pytest.mark.parametrize(
    ("layer", "expected"),
    [
        ({"LayerType": "CaskConvolution", "Weights": {"Type": "Half"}}, {"l": "fp16"}),
        ({"ParameterType": "Convolution", "Inputs": [{"Format/Datatype": "Int8"}]}, {"l": "int8"}),
        (
            {"LayerType": "conv", "Weights": {"Type": "?"}, "Inputs": [{"DataType": "BF16"}]},
            {"l": "bf16"},
        ),
        ({"LayerType": "conv"}, {"l": "untold"}),
        ({"LayerType": "Convert", "Inputs": [{"DataType": "Half"}]}, {}),
        ({"LayerType": "kgen", "Inputs": [{"DataType": "Half"}]}, {}),
    ],
)
def test_a_convolution_is_what_it_multiplies_in(
    layer: dict[str, object], expected: dict[str, str]
) -> None:
    found = convolution_precisions(json.dumps({"Layers": [{"Name": "l", **layer}]}))
    assert found == expected
