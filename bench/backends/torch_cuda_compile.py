"""``torch.compile`` on an NVIDIA GPU."""

import os
import shutil
from functools import partial
from typing import TYPE_CHECKING

from bench import gpu
from bench.backend import Case, Option, Session
from bench.backends.torch_cuda_options import OPTIONS
from export.optional import why_missing

if TYPE_CHECKING:
    from torch import Tensor

    from bench.backends.torch_session import Function

MODES = ("default", "max-autotune-no-cudagraphs", "reduce-overhead")


class TorchCudaCompile:
    """Inductor, static shapes."""

    name = "torch-cuda-compile"
    purpose = "torch.compile (Inductor) on a GPU, static shapes"
    options = (*OPTIONS, Option("mode", MODES, "of torch.compile; the last uses CUDA graphs"))

    def missing(self) -> str | None:
        """Why there is no GPU, no Triton or no compiler for its launchers, or None."""
        reason = gpu.why_no_gpu() or why_missing("triton", "pip install triton")
        return reason or _why_no_compiler()

    def prepare(self, case: Case) -> Session:
        """Compile with the first call, so that the measurement meets compiled code only."""
        import torch

        from bench.backends.torch_cuda_session import open_session

        mode = case.options["mode"]
        torch.compiler.reset()
        return open_session(case, partial(compiled, mode), {"mode": mode}, torch.compiler.reset)


def compiled(mode: str, function: "Function") -> "Function":
    """The function compiled; where it replays CUDA graphs, each call is a step of its own."""
    import torch

    faster: Function = torch.compile(function, dynamic=False, fullgraph=True, mode=mode)
    if mode != "reduce-overhead":
        return faster

    def step(**inputs: "Tensor") -> "dict[str, Tensor]":
        torch.compiler.cudagraph_mark_step_begin()  # type: ignore[no-untyped-call]
        return faster(**inputs)

    return step


def _why_no_compiler() -> str | None:
    names = (os.environ.get("CC"), "gcc", "clang")
    if any(shutil.which(name) for name in names if name):
        return None
    return "no C compiler was found: install gcc (apt-get install gcc) or set CC"


BACKENDS = (TorchCudaCompile(),)
