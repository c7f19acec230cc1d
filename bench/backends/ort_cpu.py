"""onnxruntime on the CPU."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from bench.backend import Case, Option, Session
from bench.proof import equal
from bench.records import Claim

if TYPE_CHECKING:
    import onnxruntime

PROVIDER = "CPUExecutionProvider"


class OrtCpu:
    """The exported file through ``InferenceSession`` with bound inputs and outputs."""

    name = "ort-cpu"
    purpose = "onnxruntime on the CPU, the exported file"
    options: tuple[Option, ...] = ()

    def missing(self) -> str | None:
        """Why onnxruntime cannot be imported, or None."""
        from export.optional import why_missing

        return why_missing("onnxruntime", "pip install onnxruntime")

    def prepare(self, case: Case) -> Session:
        """Load and optimise the file."""
        import onnxruntime as ort

        options = ort.SessionOptions()
        options.intra_op_num_threads = case.workload.threads
        options.inter_op_num_threads = 1
        session = ort.InferenceSession(case.artifact.path, options, providers=[PROVIDER])
        return OrtSession(session, case)


class OrtSession:
    """Bound to resident inputs; outputs are bound to the buffers that the first pass made."""

    stream = None

    def __init__(self, session: "onnxruntime.InferenceSession", case: Case) -> None:
        import onnxruntime as ort

        self._session = session
        self._names = [output.name for output in session.get_outputs()]
        self._binding = session.io_binding()
        # on a CPU the bound value is this very array
        self._inputs = {name: array.copy() for name, array in case.inputs.items()}
        for name, array in self._inputs.items():
            self._binding.bind_ortvalue_input(name, ort.OrtValue.ortvalue_from_numpy(array))
        for name in self._names:
            self._binding.bind_output(name, "cpu")
        self.run()
        for name, value in zip(self._names, self._binding.get_outputs(), strict=True):
            self._binding.bind_ortvalue_output(name, value)

    def load(self, inputs: Mapping[str, NDArray[np.float32]]) -> None:
        """Copy waveforms into the bound inputs."""
        for name, array in inputs.items():
            np.copyto(self._inputs[name], array)

    def run(self) -> None:
        """Compute; on a CPU the call returns when it is done."""
        self._session.run_with_iobinding(self._binding)

    def wait(self) -> None:
        """Nothing is left to wait for."""

    def outputs(self) -> dict[str, NDArray[np.floating]]:
        """What the last pass computed, by name."""
        values = self._binding.get_outputs()
        return {name: value.numpy() for name, value in zip(self._names, values, strict=True)}

    def settings(self) -> dict[str, str]:
        """Threads, optimisation level and providers, as read back."""
        options = self._session.get_session_options()
        return {
            "threads": str(options.intra_op_num_threads),
            "inter_op_threads": str(options.inter_op_num_threads),
            "execution_mode": options.execution_mode.name,
            "graph_optimization_level": options.graph_optimization_level.name,
            "providers": ", ".join(self._session.get_providers()),
        }

    def proof(self) -> tuple[Claim, ...]:
        """The provider."""
        return (equal("providers", PROVIDER, ", ".join(self._session.get_providers())),)

    def close(self) -> None:
        """Drop the session and its buffers."""
        del self._binding, self._session, self._inputs


BACKENDS = (OrtCpu(),)
