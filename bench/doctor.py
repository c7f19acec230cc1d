"""What this machine has for each runtime, and what each backend lacks here."""

import importlib
import importlib.metadata
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from bench.backend import backends, lacking
from bench.machine.survey import features, this_machine
from export.gpu import find_gpu
from export.optional import cause, remedy
from hifigan_ref.errors import HifiError


@dataclass(frozen=True)
class Finding:
    """One line of a diagnosis.

    Attributes:
        section: ``machine``, ``gpu``, ``library`` or ``backend``.
        name: what was looked at.
        found: what there is, in words.
        ready: whether it can be used here; a fact of the machine always can.
    """

    section: str
    name: str
    found: str
    ready: bool = True


def diagnose() -> list[Finding]:
    """Look at everything; never fails because something is not there."""
    return [*_machine(), *_gpu(), *_libraries(), *_backends()]


def _machine() -> Iterator[Finding]:
    machine = this_machine()
    yield Finding("machine", "CPU", machine.cpu)
    yield Finding("machine", "features", ", ".join(features()) or "not told by this system")
    yield Finding("machine", "cores", f"{machine.cores} physical that this process may use")
    yield Finding("machine", "memory", f"{machine.memory_bytes / 2**30:.0f} GiB")
    yield Finding("machine", "load", f"{machine.load:.1f} over the last minute")
    yield Finding("machine", "system", machine.system)


def _gpu() -> Iterator[Finding]:
    try:
        gpu = find_gpu()
    except HifiError as error:
        yield Finding("gpu", "GPU", str(error), ready=False)
        return
    yield Finding("gpu", "GPU", f"{gpu}, {gpu.memory_bytes / 2**30:.0f} GiB")
    yield Finding("gpu", "driver", f"{gpu.driver}, CUDA up to {gpu.cuda}")


def _libraries() -> Iterator[Finding]:
    for name, (describe, command) in _LIBRARIES.items():
        try:
            yield Finding("library", name, describe())
        # A broken installation can fail in any way; that is what is looked for here.
        except Exception as error:  # noqa: BLE001
            told = f"{cause(error)}: {remedy(error, command)}"
            yield Finding("library", name, told, ready=False)


def _backends() -> Iterator[Finding]:
    for name, backend in backends().items():
        missing = lacking(backend)
        yield Finding("backend", name, missing or "runs here", ready=missing is None)


def _torch() -> str:
    import torch

    cuda = torch.version.cuda
    cudnn = torch.backends.cudnn.version() if cuda else None  # type: ignore[no-untyped-call]
    built = f"for CUDA {cuda}, cuDNN {cudnn}" if cuda else "without CUDA"
    return f"{torch.__version__}, {built}, {torch.backends.cpu.get_cpu_capability()}"


def _onnxruntime() -> str:
    import onnxruntime as ort

    providers = ", ".join(ort.get_available_providers())
    return f"{ort.__version__}, built for CUDA {ort.cuda_version or 'none'}: {providers}"


def _openvino() -> str:
    import openvino

    return f"{openvino.__version__}: {', '.join(openvino.Core().available_devices)}"


def _plain(module: str) -> Callable[[], str]:
    return lambda: str(importlib.import_module(module).__version__)


_LIBRARIES: dict[str, tuple[Callable[[], str], str]] = {
    "torch": (_torch, "pip install torch"),
    "onnx": (_plain("onnx"), "pip install onnx"),
    "onnxruntime": (_onnxruntime, "pip install onnxruntime-gpu"),
    "openvino": (_openvino, "pip install openvino"),
    "tensorrt": (_plain("tensorrt"), "pip install tensorrt"),
    "tensorrt_rtx": (_plain("tensorrt_rtx"), "pip install tensorrt-rtx-cu13"),
}
