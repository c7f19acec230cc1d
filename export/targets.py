"""Runtimes that a file may be made for, and what each of them likes best."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from hifigan_ref.errors import UsageError, nearest

Activations = Literal["uint8", "int8"]


@dataclass(frozen=True)
class Target:
    """A runtime.

    Attributes:
        lowering: name of its default plans of rewrites.
        activations: what int8 layers read: on a CPU ``uint8``, which is the more exact; TensorRT
            takes ``int8`` alone; None where it has no int8 layers.
        runtime: what runs its files on a CPU, by the name in ``export.runtimes``; None where only a
            GPU does.
    """

    lowering: str
    activations: Activations | None = "int8"
    runtime: str | None = None


TARGETS: Mapping[str, Target] = {
    "ort-cpu": Target("ort-cpu", "uint8", "onnxruntime"),
    "openvino": Target("openvino", "uint8", "openvino"),
    "ort-cuda": Target("ort-cuda", None),
    "trt": Target("trt"),
    "trt-rtx": Target("trt"),
    "ort-trt": Target("trt"),
}
ANY = Target("")  # int8 around zero is what every runtime takes


def check_target(backend: str | None) -> None:
    """Raises UsageError for a backend that no file can be for."""
    if backend is not None and backend not in TARGETS:
        near = nearest(backend, TARGETS)
        raise UsageError(f"--for {backend}: {near}choose from {', '.join(TARGETS)}")


def activations_for(backend: str | None) -> Activations:
    """What int8 layers of a backend's file read; of an unknown one, what every runtime takes."""
    return TARGETS.get(backend or "", ANY).activations or "int8"
