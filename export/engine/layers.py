"""The precision that each layer of an engine really has, read from the library's inspector.

The inspector's JSON has two forms: TensorRT 10 tells a tensor's type in its format, TensorRT 11 as
``DataType``. Both are read by the same rules here.
"""

import json
from collections.abc import Mapping
from typing import Any

from hifigan_ref.errors import HifiError

UNTOLD = "untold"  # the engine was built to tell the names of its layers only
# What a format or a type may be called -> its name here; longer names come first.
_SPELLINGS = {
    "bfloat16": "bf16",
    "bf16": "bf16",
    "fp16": "fp16",
    "half": "fp16",
    "fp8": "fp8",
    "fp4": "fp4",
    "fp32": "fp32",
    "float": "fp32",
    "int64": "int64",
    "int32": "int32",
    "int8": "int8",
    "int4": "int4",
    "uint8": "uint8",
    "bool": "bool",
}
_TYPE_KEYS = ("Format/Datatype", "DataType", "Datatype", "Format")


def layer_precisions(information: str) -> dict[str, str]:
    """Precision of each layer's first output, by the layer's name.

    Args:
        information: ``get_engine_information(JSON)``.

    Raises:
        HifiError: no such JSON.
    """
    found = _parse(information)
    layers = found.get("Layers", [])
    named = [layer if isinstance(layer, Mapping) else {"Name": str(layer)} for layer in layers]
    return {str(layer.get("Name", "")): _precision(layer) for layer in named}


def convolution_precisions(information: str) -> dict[str, str]:
    """Precision of each convolution by the layer's name: of its weights, else of what it reads.

    Args:
        information: ``get_engine_information(JSON)``.

    Raises:
        HifiError: no such JSON.
    """
    layers = [each for each in _parse(information).get("Layers", []) if isinstance(each, Mapping)]
    return {str(each.get("Name", "")): _multiplied(each) for each in layers if _convolves(each)}


def _parse(information: str) -> Mapping[str, Any]:
    try:
        found = json.loads(information)
    except ValueError as error:
        raise HifiError(f"the inspector's answer is no JSON: {error}") from None
    if not isinstance(found, Mapping):
        raise HifiError("the inspector's answer is no JSON object")
    return found


def _precision(layer: Mapping[str, Any]) -> str:
    outputs = layer.get("Outputs") or [{}]
    return _type_of(outputs[0]) if isinstance(outputs[0], Mapping) else UNTOLD


def _convolves(layer: Mapping[str, Any]) -> bool:
    told = f"{layer.get('ParameterType', '')} {layer.get('LayerType', '')}".lower()
    return "conv" in told.replace("convert", "")


def _multiplied(layer: Mapping[str, Any]) -> str:
    weights = layer.get("Weights")
    if isinstance(weights, Mapping):
        found = _type_of({"DataType": weights.get("Type", "")})
        if found != UNTOLD:
            return found
    inputs = layer.get("Inputs") or [{}]
    return _type_of(inputs[0]) if isinstance(inputs[0], Mapping) else UNTOLD


def _type_of(tensor: Mapping[str, Any]) -> str:
    texts = [str(tensor[key]).lower() for key in _TYPE_KEYS if key in tensor]
    for text in texts:
        for spelling, name in _SPELLINGS.items():
            if spelling in text:
                return name
    return UNTOLD
