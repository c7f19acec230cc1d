"""An engine made ready on a GPU."""

from typing import Any

from export.engine.layers import layer_precisions
from export.engine.library import Library
from export.engine.log import logger
from export.gpu import find_gpu
from hifigan_ref.errors import HifiError


def deserialize(library: Library, plan: bytes) -> Any:
    """The ``ICudaEngine`` of a plan.

    Raises:
        HifiError: the library refuses it, in its own words.
    """
    trt = library.module
    log = logger(library)
    log.clear()
    runtime = trt.Runtime(log)
    check = getattr(runtime, "get_engine_validity", None)
    if check is not None:
        validity, diagnostics = check(plan)
        if validity == trt.EngineValidity.INVALID:
            raise HifiError(f"{library} refuses the engine: {_diagnosis(trt, diagnostics)}")
    engine = runtime.deserialize_cuda_engine(plan)
    if engine is None:
        raise HifiError(f"{library} cannot load the engine: {log.reason()}")
    return engine


def read_layers(library: Library, plan: bytes) -> dict[str, str] | str:
    """Precision of each layer by name, or why it cannot be asked for here."""
    try:
        find_gpu()
        return inspect_layers(library, deserialize(library, plan))
    except HifiError as error:
        return f"not read: {error}"


def inspect_layers(library: Library, engine: Any) -> dict[str, str]:
    """Precision of each layer by name."""
    return layer_precisions(inspect(library, engine))


def inspect(library: Library, engine: Any) -> str:
    """What the inspector tells of an engine, as JSON."""
    inspector = engine.create_engine_inspector()
    return str(inspector.get_engine_information(library.module.LayerInformationFormat.JSON))


def _diagnosis(trt: Any, diagnostics: Any) -> str:
    bits = int(diagnostics)
    named = trt.EngineInvalidityDiagnostics.__members__.items()
    told = [name.lower().replace("_", " ") for name, flag in named if bits & int(flag)]
    return ", ".join(told) or f"diagnostics {bits}"
