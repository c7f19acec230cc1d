"""onnxruntime on the CPU."""

from bench.backend import Case, Option, Session

PROVIDER = "CPUExecutionProvider"


class OrtCpu:
    """The exported file through ``InferenceSession`` with bound inputs and outputs."""

    name = "ort-cpu"
    purpose = "onnxruntime on the CPU, the exported file, static shapes"
    options: tuple[Option, ...] = ()

    def missing(self) -> str | None:
        """Why onnxruntime cannot be imported, or None."""
        from export.optional import why_missing

        return why_missing("onnxruntime", "pip install onnxruntime")

    def prepare(self, case: Case) -> Session:
        """Load and optimise the file."""
        from bench.backends.ort_session import Asked, OrtSession, open_session

        asked = Asked({PROVIDER: {}})
        return OrtSession(open_session(case, asked), asked, case)


BACKENDS = (OrtCpu(),)
