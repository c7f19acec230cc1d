"""OpenVINO on the CPU."""

from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from bench.backend import LOWERING, UNSET, Case, Session
from bench.backends.openvino_proof import DEVICE, claims, convolutions, in_file, told
from bench.file_precisions import Counts
from bench.precisions import precisions
from bench.proof import demand
from bench.records import Claim, Precision
from bench.timing.profiler import LayerTime
from export.cpu import LIMIT, limit, multiplies
from export.stream_record import NEXT, STATE
from export.targets import activations_for
from hifigan_ref.errors import HifiError

if TYPE_CHECKING:
    from openvino import CompiledModel

SPELLINGS: Mapping[Precision, str] = {"fp32": "f32", "bf16": "bf16", "fp16": "f16"}


class OpenVino:
    """The exported file, compiled for the shapes of the workload."""

    name = "openvino"
    purpose = "OpenVINO on the CPU, the exported file, static shapes"
    options = (
        precisions(("fp32", "bf16", "fp16"), ("int8",), activations_for("openvino")),
        LOWERING,
    )

    def missing(self) -> str | None:
        """Why OpenVINO cannot be imported, or None."""
        from export.optional import why_missing

        return why_missing("openvino", "pip install openvino")

    def prepare(self, case: Case) -> Session:
        """Compile the file.

        Raises:
            HifiError: the CPU has not the precision.
            NotAsAskedError: OpenVINO would compute in another one.
        """
        reason = why_not(case.runtime)
        if reason is not None:
            raise HifiError(reason)
        file = in_file(case)
        return OpenVinoSession(_compile(case, file), case, file)

    def layers(self, case: Case) -> tuple[LayerTime, ...]:
        """Time of each node, by the counters of a network compiled to count."""
        from bench.backends.openvino_profile import node_times

        return node_times(_compile(case, in_file(case), count=True), case)


class OpenVinoSession:
    """One infer request; its tensors are numpy arrays of ours.

    The request's own outputs would have to be copied: a view of them outlives them.

    Args:
        compiled: for the shapes of the workload.
        case: what it was compiled from.
        file: how many convolutions of it are in which precision.
    """

    stream = None

    def __init__(self, compiled: "CompiledModel", case: Case, file: Counts) -> None:
        import openvino as ov

        self._compiled = compiled
        self._asked = SPELLINGS[case.runtime]
        self._file = file
        self._inputs = {
            name: array.copy()
            for name, array in case.inputs.items()
            if any(name in port.get_names() for port in compiled.inputs)
        }
        self._outputs: dict[str, NDArray[np.floating]] = {
            name_of(port.get_names(), case): np.empty(
                tuple(port.shape), port.get_element_type().to_dtype()
            )
            for port in compiled.outputs
        }
        self._request = compiled.create_infer_request()
        self._states = {state.name: state for state in self._request.query_state()}
        for name, array in (self._inputs | self._outputs).items():
            self._request.set_tensor(name, ov.Tensor(array, shared_memory=True))

    def load(self, inputs: Mapping[str, NDArray[np.float32]]) -> None:
        """Copy waveforms into the request's inputs, and states into its variables."""
        import openvino as ov

        for name, array in inputs.items():
            if name in self._inputs:
                np.copyto(self._inputs[name], array)
            else:
                self._states[f"{name}{NEXT}{name}"].state = ov.Tensor(array)

    def poison(self) -> None:
        """Fill the outputs with NaN."""
        for array in self._outputs.values():
            array.fill(np.nan if array.dtype.kind == "f" else UNSET)

    def run(self) -> None:
        """Start a pass on OpenVINO's threads."""
        self._request.start_async()

    def wait(self) -> None:
        """Return when it has finished."""
        self._request.wait()

    def outputs(self) -> dict[str, NDArray[np.floating]]:
        """What the last pass computed, by name; the next pass writes over it."""
        return dict(self._outputs)

    def settings(self) -> dict[str, str]:
        """What may change the arithmetic or the speed, as read back."""
        keys = {
            "threads": "INFERENCE_NUM_THREADS",
            "precision": "INFERENCE_PRECISION_HINT",
            "performance_hint": "PERFORMANCE_HINT",
            "streams": "NUM_STREAMS",
            "execution_devices": "EXECUTION_DEVICES",
        }
        counts = Counter(str(layer["primitiveType"]) for layer in convolutions(self._compiled))
        kernels = ", ".join(f"{count} {kernel}" for kernel, count in sorted(counts.items()))
        found = {name: told(self._compiled, key) for name, key in keys.items()}
        return found | {"convolutions": kernels}

    def proof(self) -> tuple[Claim, ...]:
        """Device and precisions."""
        return claims(self._compiled, self._asked, self._file)

    def close(self) -> None:
        """Drop the request, the network and the buffers."""
        del self._request, self._compiled, self._inputs, self._outputs


def why_not(precision: Precision) -> str | None:
    """Why this CPU does not compute in a precision, or None.

    Without the instructions OpenVINO takes another precision without a word, or fails at whichever
    node it compiles first. It is asked what it can do, but may not know of oneDNN's limit.
    """
    import openvino as ov

    held = limit()
    able = ov.Core().get_property(DEVICE, "OPTIMIZATION_CAPABILITIES")
    if precision.upper() in able and (not held or multiplies(precision)):
        return None
    below = f" below {LIMIT}={held}" if held else ""
    return f"this CPU has no {precision}{below}: choose another precision"


def name_of(names: set[str], case: Case) -> str:
    """That of the graph: OpenVINO also gives a tensor the names of nodes that it dropped."""
    (name,) = names & {port.name for port in case.artifact.manifest.outputs}
    return name


def _compile(case: Case, file: Counts, count: bool = False) -> "CompiledModel":
    """The file for the shapes of the workload.

    Args:
        case: what to compile.
        file: how many convolutions of it are in which precision.
        count: the time of each node.

    Raises:
        NotAsAskedError: a CPU without the precision would compute in another one.
    """
    import openvino as ov
    from openvino._offline_transformations import apply_make_stateful_transformation

    core = ov.Core()
    model = core.read_model(case.artifact.path)
    model.reshape({name: list(array.shape) for name, array in case.inputs.items()})
    states = [
        name for name, x in case.inputs.items() if name.startswith(STATE) and x.dtype.kind == "f"
    ]
    if states:  # which OpenVINO then keeps itself, under both names in a row; no whole numbers
        apply_make_stateful_transformation(model, {name: f"{NEXT}{name}" for name in states})
    hints = {
        "INFERENCE_PRECISION_HINT": SPELLINGS[case.runtime],
        "INFERENCE_NUM_THREADS": case.workload.threads,
        "PERFORMANCE_HINT": "LATENCY",
        "NUM_STREAMS": 1,
        "PERF_COUNT": count,
    }
    compiled = core.compile_model(model, DEVICE, hints)
    demand(*claims(compiled, SPELLINGS[case.runtime], file))
    return compiled


BACKENDS = (OpenVino(),)
