"""onnxruntime on an NVIDIA GPU through TensorRT."""

import ctypes
import importlib
import os
import sys
from contextlib import suppress

from bench import gpu
from bench.backend import LOWERING, Case, Option, Session
from bench.backends import ort_cuda
from bench.precisions import precisions
from bench.proof import demand, equal
from export.targets import activations_for

PROVIDER = "TensorrtExecutionProvider"
# onnxruntime's provider is linked to TensorRT 10; the registry's newest is another
LIBRARY = "nvinfer_10.dll" if sys.platform == "win32" else "libnvinfer.so.10"
SWITCH = {"off": "False", "on": "True"}


class OrtTrt:
    """The exported file, built into an engine by each session anew."""

    name = "ort-trt"
    purpose = "onnxruntime on a GPU with TensorRT, the exported file, static shapes"
    options = (
        precisions(("fp32", "tf32"), ("fp16", "bf16", "int8"), activations_for("ort-trt")),
        Option("cuda_graph", ("off", "on"), "capture a pass once and replay it"),
        LOWERING,
    )

    def missing(self) -> str | None:
        """Why onnxruntime, a GPU or TensorRT is not there, or None."""
        return ort_cuda.why_no_provider(PROVIDER) or gpu.why_no_gpu() or why_no_tensorrt()

    def prepare(self, case: Case) -> Session:
        """Build the engine.

        The provider has no option for TF32 and NVIDIA's variable is read once in a process, so it
        stays set.

        Raises:
            NotAsAskedError: TF32 was asked for after a session without it.
        """
        wanted = "unset" if case.runtime == "tf32" else "0"
        if wanted == "0":
            os.environ[gpu.OVERRIDE] = wanted
        (tf32,) = demand(equal(gpu.OVERRIDE, wanted, os.environ.get(gpu.OVERRIDE, "unset")))
        with gpu.freed_on_failure():
            why_no_tensorrt()  # its package loads the library that the provider needs
            stream = ort_cuda.own_stream()
            own = ort_cuda.on_stream(stream)
            providers = {
                PROVIDER: engine_options(case) | own,
                ort_cuda.PROVIDER: {"use_tf32": ort_cuda.SWITCH[ort_cuda.tf32(case)]} | own,
                ort_cuda.HOST: {},
            }
            return ort_cuda.open_on(stream, providers, tf32, case)


def engine_options(case: Case) -> dict[str, str]:
    """What is set for TensorRT: nothing taken from an earlier build.

    With none of its switches for precisions the network is strongly typed: each layer computes in
    what the file says.
    """
    return {
        "trt_fp16_enable": "False",
        "trt_bf16_enable": "False",
        "trt_int8_enable": "False",
        "trt_engine_cache_enable": "False",
        "trt_timing_cache_enable": "False",
        "trt_cuda_graph_enable": SWITCH[case.options["cuda_graph"]],
    }


def why_no_tensorrt() -> str | None:
    """Load TensorRT's library: why it cannot be and what to install, or None."""
    with suppress(Exception):  # the library may be there without it, and that is asked next
        importlib.import_module("tensorrt")
    try:
        ctypes.CDLL(LIBRARY)
    except OSError as error:
        return f"TensorRT 10 cannot be loaded ({error}): pip install 'tensorrt-cu13<11'"
    return None


BACKENDS = (OrtTrt(),)
