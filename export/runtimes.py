"""Runtimes that run a file's bytes on this machine's CPU: what a file is verified in."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from export.cpu import multiplies_bf16, onednn_features
from export.optional import why_missing
from export.targets import TARGETS
from hifigan_ref.network import Sizes

if TYPE_CHECKING:
    pass

Arrays = Mapping[str, NDArray[np.floating]]
Run = Callable[[Arrays], Arrays]
"""Outputs by name for inputs by name, all of them float32."""

Shapes = Mapping[str, tuple[int, ...]]


@dataclass(frozen=True)
class Verified:
    """A runtime that computed what PyTorch does.

    Attributes:
        runtime: its name.
        version: of it.
        smallest: lengths of the axes, the shortest at which it was compared.
    """

    runtime: str
    version: str
    smallest: Sizes


@dataclass(frozen=True)
class NotAsked:
    """The runtime that a file is for, where it could not be run.

    Attributes:
        target: backend that the file is for.
        reason: why.
    """

    target: str
    reason: str


class Runtime(Protocol):
    """Opens files on the CPU."""

    @property
    def name(self) -> str:
        """As its package is called."""

    @property
    def version(self) -> str:
        """Of the package."""

    @property
    def fixes_shapes(self) -> bool:
        """Whether it computes a file otherwise that it is told the shapes of."""

    def open(self, content: bytes, shapes: Shapes | None = None) -> Run:
        """Load a file, perhaps for fixed shapes; raises whatever the runtime does."""


class OnnxRuntime:
    """onnxruntime; a graph in half precision in float32, with every rounding of it."""

    name = "onnxruntime"
    fixes_shapes = False

    @property
    def version(self) -> str:
        """Of the package."""
        import onnxruntime as ort

        return str(ort.__version__)

    def open(self, content: bytes, shapes: Shapes | None = None) -> Run:
        """Load a file."""
        del shapes
        from export.precision.emulate import open_on_cpu

        session = open_on_cpu(content)
        names = [output.name for output in session.get_outputs()]
        return lambda inputs: dict(zip(names, session.run(None, dict(inputs)), strict=True))


class OpenVino:
    """OpenVINO; in the file's half precision where this CPU has it, else in float32."""

    name = "openvino"
    fixes_shapes = True

    @property
    def version(self) -> str:
        """Of the package."""
        from importlib.metadata import version

        return version("openvino")

    def open(self, content: bytes, shapes: Shapes | None = None) -> Run:
        """Compile a file."""
        import openvino as ov

        core = ov.Core()
        model = core.read_model(content, b"")
        names = [port.get_names() for port in model.outputs]
        hint = _hint(model)
        if shapes is not None:
            model.reshape({name: list(shape) for name, shape in shapes.items()})
        model = _in_float32(model)
        request = core.compile_model(
            model, "CPU", {"INFERENCE_PRECISION_HINT": hint}
        ).create_infer_request()

        def run(inputs: Arrays) -> Arrays:
            found = request.infer(dict(inputs))
            return {name: found[place].copy() for place, each in enumerate(names) for name in each}

        return run


ONNXRUNTIME: Runtime = OnnxRuntime()
RUNTIMES: Mapping[str, Runtime] = {each.name: each for each in (ONNXRUNTIME, OpenVino())}


def also_asked(target: str | None) -> Runtime | NotAsked | None:
    """Whom a file for a backend is verified in besides onnxruntime, or why nobody is asked."""
    if target is None:
        return None
    name = TARGETS[target].runtime
    if name is None:
        return NotAsked(target, "it needs a GPU")
    if name == ONNXRUNTIME.name:
        return None
    if find_spec(name) is None:
        return NotAsked(target, "not installed")
    if why_missing(name, ""):
        return NotAsked(target, "it cannot be imported here")
    return RUNTIMES[name]


def on_cpu(target: str | None) -> Runtime | None:
    """What runs a backend's files on a CPU, where there is such a thing and it is here."""
    if target is None or TARGETS[target].runtime is None:
        return None
    found = also_asked(target) or ONNXRUNTIME
    return None if isinstance(found, NotAsked) else found


def identity(target: str | None) -> str:
    """What verifies files for a backend: where that changes they are verified anew."""
    name = TARGETS[target].runtime if target else None
    if name is None or name == ONNXRUNTIME.name:
        return ""
    return f"{name} {RUNTIMES[name].version}" if find_spec(name) else f"no {name}"


def _hint(model: Any) -> str:
    """What OpenVINO is asked to compute a model in."""
    kinds = ("Convolution", "GroupConvolution")
    convolutions = [op for op in model.get_ops() if op.get_type_name() in kinds]
    types = {op.get_output_element_type(0).get_type_name() for op in convolutions}
    if types == {"bf16"} and multiplies_bf16():
        return "bf16"
    return "f16" if types == {"f16"} and "avx512_fp16" in onednn_features() else "f32"


def _in_float32(model: Any) -> Any:
    """With inputs and outputs that NumPy has."""
    import openvino as ov
    from openvino.preprocess import PrePostProcessor

    around = PrePostProcessor(model)
    for place in range(len(model.inputs)):
        around.input(place).tensor().set_element_type(ov.Type.f32)
    for place in range(len(model.outputs)):
        around.output(place).tensor().set_element_type(ov.Type.f32)
    return around.build()
