"""The opset that was asked for, exactly."""

import onnx_ir as ir

from hifigan_ref.errors import HifiError


def ir_version(opset: int) -> int:
    """The oldest file format that may hold the opset, so that the oldest runtimes read it."""
    import onnx.helper

    try:
        return onnx.helper.find_min_ir_version_for([onnx.helper.make_opsetid("", opset)])
    except ValueError:
        newest = onnx.defs.onnx_opset_version()
        raise HifiError(
            f"opset {opset} is unknown to onnx {onnx.__version__}, which knows up to {newest}: "
            "choose an older opset or a newer onnx"
        ) from None


def stated_opset(model: ir.Model) -> int | None:
    """The version of the default domain, or None where the file uses another domain too."""
    imports = dict(model.opset_imports)
    return imports.get("") if set(imports) == {""} else None
