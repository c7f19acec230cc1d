"""What the convolutions of a parsed network compute in, held against the graph it was read from.

TensorRT takes precision from the graph; here it is asked whether it did.
"""

from collections.abc import Iterator
from typing import Any

from export.engine.library import Library
from hifigan_ref.errors import HifiError

KINDS = ("CONVOLUTION", "DECONVOLUTION", "MATRIX_MULTIPLY")
PASSING = ("SHUFFLE", "SQUEEZE", "UNSQUEEZE")  # around convolutions along one axis
OF_TENSORS = {"FLOAT": "fp32", "HALF": "fp16", "BF16": "bf16", "INT8": "int8", "UINT8": "int8"}
OF_ARRAYS = {"float32": "fp32", "float16": "fp16"}  # weights, where numpy has their type


def check_precision(content: bytes, network: Any, library: Library) -> None:
    """Compare every convolution of a network with its node in the graph.

    Args:
        content: of the ONNX file.
        network: what the library read from it.
        library: that read it.

    Raises:
        HifiError: one computes in another precision than the graph says.
    """
    import onnx_ir as ir
    from onnx import ModelProto

    from export.precision.held import held

    wanted = held(ir.from_proto(ModelProto.FromString(content)))
    found = dict(_read(network, library))
    faults = [
        f"{name} in {found.get(name, 'nothing')}, not {precision}"
        for name, precision in wanted.items()
        if found.get(name) != precision
    ]
    if faults:
        raise HifiError(
            f"{library} reads another precision than the graph has: {'; '.join(faults)}: nothing "
            "was built; report this with the command line"
        )


def _read(network: Any, library: Library) -> Iterator[tuple[str, str]]:
    """Name and precision of each convolution."""
    trt = library.module
    classes = {"CONVOLUTION": trt.IConvolutionLayer, "DECONVOLUTION": trt.IDeconvolutionLayer}
    makers = {}
    for layer in (network.get_layer(index) for index in range(network.num_layers)):
        for index in range(layer.num_outputs):
            makers[layer.get_output(index).name] = layer
        if layer.type.name in KINDS:
            operands = [layer.get_input(index) for index in range(layer.num_inputs)][:2]
            types = {_of_tensor(tensor, makers) for tensor in operands}
            if len(operands) == 1:
                layer.__class__ = classes[layer.type.name]  # it comes as its base
                types.add(_named(layer.kernel.dtype))
            yield layer.name, " and ".join(sorted(types))


def _of_tensor(tensor: Any, makers: dict[str, Any]) -> str:
    """What it is multiplied as: before DequantizeLinear, if that made it."""
    maker = makers.get(tensor.name)
    while maker is not None and maker.type.name in PASSING:
        maker = makers.get(maker.get_input(0).name)
    if maker is not None and maker.type.name == "DEQUANTIZE":
        return _named(maker.get_input(0).dtype)
    return _named(tensor.dtype)


def _named(dtype: Any) -> str:
    name = getattr(dtype, "name", str(dtype))
    return {**OF_TENSORS, **OF_ARRAYS}.get(name, name)
