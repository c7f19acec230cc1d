"""What OpenVINO was asked beside what it says that it compiled."""

from collections import Counter
from typing import TYPE_CHECKING

from bench.backend import Case
from bench.file_precisions import ALL_FLOAT, Counts, convolutions_of
from bench.proof import equal
from bench.records import Claim
from export.precision.plan import FP32

if TYPE_CHECKING:
    from openvino import CompiledModel, Node

DEVICE = "CPU"
KINDS = ("Convolution", "FullyConnected", "MatMul")
TRANSPOSED = "Deconvolution"  # counts where there is nothing else: filters' outputs are some too
INTEGERS = ("i8", "u8")


def claims(
    compiled: "CompiledModel", precision: str, file: Counts = ALL_FLOAT
) -> tuple[Claim, ...]:
    """What OpenVINO was asked beside what it says it compiled.

    Args:
        compiled: the network.
        precision: of all that the file does not quantize, as OpenVINO spells it.
        file: how many convolutions it has in which precision.
    """
    kinds = Counter(str(layer["runtimePrecision"]) for layer in convolutions(compiled))
    integers = sum(kinds.pop(kind, 0) for kind in INTEGERS)
    found = ", ".join(sorted(kinds)) or "none"
    rest = precision if set(file) - {"int8"} else "none"
    return (
        equal("execution device", DEVICE, told(compiled, "EXECUTION_DEVICES")),
        equal("precision", precision, told(compiled, "INFERENCE_PRECISION_HINT")),
        equal("precision of the convolutions", rest, found),
        equal("convolutions in int8", file.get("int8", 0), integers),
    )


def in_file(case: Case) -> Counts:
    """How many convolutions are written in which precision; not read where all are in one."""
    if case.request.precision == FP32:
        return ALL_FLOAT
    return convolutions_of(case.artifact.path)


def told(compiled: "CompiledModel", name: str) -> str:
    """A property, in words."""
    value = compiled.get_property(name)
    if hasattr(value, "to_string"):  # a type of numbers
        return str(value.to_string())
    return ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)


def convolutions(compiled: "CompiledModel") -> list[dict[str, object]]:
    """What is known of each convolution that will run, or product in its place: kernel, type..."""
    layers = [_details(node) for node in compiled.get_runtime_model().get_ops()]
    plain = [layer for layer in layers if layer["layerType"] in KINDS]
    return plain or [layer for layer in layers if layer["layerType"] == TRANSPOSED]


def _details(node: "Node") -> dict[str, object]:
    return {key: getattr(value, "value", value) for key, value in node.get_rt_info().items()}
