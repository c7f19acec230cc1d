"""From a trained network to a verified file for another runtime."""

from hifigan_ref.module_spec import ModuleSpec
from hifigan_ref.variant import OPENERS, FileNetwork


def _of_onnx(spec: ModuleSpec) -> FileNetwork:
    from export.foreign.network import OnnxNetwork

    return OnnxNetwork(spec)


OPENERS[".onnx"] = _of_onnx
