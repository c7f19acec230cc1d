"""PyTorch eager on an NVIDIA GPU."""

from typing import TYPE_CHECKING

from bench import gpu
from bench.backend import Case, Option, Session
from bench.backends.torch_cuda_options import OPTIONS

if TYPE_CHECKING:
    from bench.backends.torch_session import Function


class TorchCuda:
    """Eager execution, or one capture of it."""

    name = "torch-cuda"
    purpose = "PyTorch eager on a GPU"
    options = (*OPTIONS, Option("cuda_graph", ("off", "on"), "capture a pass once and replay it"))

    def missing(self) -> str | None:
        """Why there is no GPU to run on, or None."""
        return gpu.why_no_gpu()

    def prepare(self, case: Case) -> Session:
        """Run once, so that cuDNN has chosen."""
        from bench.backends.torch_cuda_session import open_session

        return open_session(case, _as_it_is, {})


def _as_it_is(function: "Function") -> "Function":
    return function


BACKENDS = (TorchCuda(),)
