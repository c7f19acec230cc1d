"""onnxruntime on the CPU."""

from bench.backend import LOWERING, Case, Option, Session
from bench.precisions import precisions
from bench.timing.profiler import LayerTime
from export.targets import activations_for

PROVIDER = "CPUExecutionProvider"


class OrtCpu:
    """The exported file through ``InferenceSession`` with bound inputs and outputs."""

    name = "ort-cpu"
    purpose = "onnxruntime on the CPU, the exported file, static shapes"
    options: tuple[Option, ...] = (
        precisions(("fp32",), ("int8",), activations_for("ort-cpu")),
        LOWERING,
    )

    def missing(self) -> str | None:
        """Why onnxruntime cannot be imported, or None."""
        from export.optional import why_missing

        return why_missing("onnxruntime", "pip install onnxruntime")

    def prepare(self, case: Case) -> Session:
        """Load and optimise the file."""
        from bench.backends.ort_session import Asked, OrtSession, open_session

        asked = Asked({PROVIDER: {}})
        return OrtSession(open_session(case, asked), asked, case)

    def layers(self, case: Case) -> tuple[LayerTime, ...]:
        """Time of each node, from a session that writes a trace."""
        from bench.backends.ort_profile import node_times
        from bench.backends.ort_session import Asked

        return node_times(case, Asked({PROVIDER: {}}))


BACKENDS = (OrtCpu(),)
