"""onnxruntime on an NVIDIA GPU through CUDA and cuDNN."""

import io
from contextlib import redirect_stdout
from dataclasses import replace
from typing import TYPE_CHECKING

from bench import gpu
from bench.backend import LOWERING, Case, Option, Session
from bench.precisions import precisions
from bench.records import Claim
from bench.timing.profiler import LayerTime
from hifigan_ref.errors import HifiError

if TYPE_CHECKING:
    import torch

PROVIDER = "CUDAExecutionProvider"
HOST = "CPUExecutionProvider"
SWITCH = {"off": "0", "on": "1"}


class OrtCuda:
    """The exported file; inputs and outputs stay on the GPU, on a stream of their own."""

    name = "ort-cuda"
    purpose = "onnxruntime on a GPU with cuDNN, the exported file, static shapes"
    options = (
        # its CUDA kernels have convolutions in bf16, but no LeakyRelu, Pad or Less to go with them
        precisions(("fp32", "tf32"), ("fp16",), note="no bf16: CUDA lacks its LeakyRelu and Pad"),
        Option(
            "cudnn_conv_algo_search",
            ("EXHAUSTIVE", "HEURISTIC", "DEFAULT"),
            "which of cuDNN's heuristics chooses an algorithm",
        ),
        Option("fuse_conv_bias", ("off", "on"), "bias within the convolution's kernel"),
        Option("prefer_nhwc", ("off", "on"), "channels last"),
        Option("cuda_graph", ("off", "on"), "capture a pass once and replay it"),
        Option("cudnn_conv1d_pad_to_nc1d", ("off", "on"), "1-D layers as (1, T), not as (T, 1)"),
        LOWERING,
    )

    def missing(self) -> str | None:
        """Why onnxruntime or a GPU is not there, or None."""
        return why_no_provider(PROVIDER) or gpu.why_no_gpu()

    def prepare(self, case: Case) -> Session:
        """Load and optimise the file; the first pass searches algorithms and may capture."""
        with gpu.freed_on_failure():
            stream = own_stream()
            providers = {PROVIDER: provider_options(case, stream), HOST: {}}
            return open_on(stream, providers, gpu.tf32_claim(tf32(case)), case)

    def layers(self, case: Case) -> tuple[LayerTime, ...]:
        """Time of each node's kernels, from a session that writes a trace, without a CUDA graph.

        Raises:
            HifiError: this onnxruntime was built without CUPTI, as those on the registry are.
        """
        from bench.backends.ort_profile import node_times
        from bench.backends.ort_session import Asked

        case = replace(case, options={**case.options, "cuda_graph": "off"})
        with gpu.freed_on_failure():
            preload()
            options = {PROVIDER: provider_options(case, None), HOST: {}}
            return node_times(case, Asked(options, (gpu.tf32_claim(tf32(case)),)))


def tf32(case: Case) -> str:
    """Whether float32 may be rounded to it: ``on`` or ``off``."""
    return gpu.WORDS[case.runtime == "tf32"]


def tensor_cores(case: Case) -> bool:
    """Whether ``use_tf32`` must be on: off, onnxruntime keeps fp16 from tensor cores as well.

    Layers that such a file leaves in float32 are then rounded to TF32.
    """
    return case.runtime == "tf32" or "fp16" in case.request.precision.held


def why_no_provider(provider: str) -> str | None:
    """Why this onnxruntime has no such provider and what to install, or None."""
    from export.optional import why_missing

    reason = why_missing("onnxruntime", "pip install onnxruntime-gpu")
    if reason is not None:
        return reason
    import onnxruntime as ort

    if provider in ort.get_available_providers():
        return None
    return (
        f"onnxruntime {ort.__version__} has no {provider}: pip uninstall onnxruntime, then "
        "pip install onnxruntime-gpu"
    )


def preload() -> None:
    """Load the libraries of CUDA and cuDNN that Python packages brought."""
    import onnxruntime as ort

    with redirect_stdout(io.StringIO()):  # it prints what it does not find; the session tells
        ort.preload_dlls()


def own_stream() -> "torch.cuda.Stream | None":
    """A stream that nothing else runs on; None where PyTorch has no GPU to make one on."""
    import torch

    if not torch.cuda.is_available():
        return None
    return torch.cuda.Stream()  # type: ignore[no-untyped-call]


def on_stream(stream: "torch.cuda.Stream | None") -> dict[str, str]:
    """What tells a provider to run on it."""
    from bench.backends.ort_session import STREAM

    return {} if stream is None else {STREAM: str(stream.cuda_stream)}


def open_on(
    stream: "torch.cuda.Stream | None",
    providers: dict[str, dict[str, str]],
    tf32: Claim,
    case: Case,
) -> Session:
    """A session of these providers on a GPU.

    Args:
        stream: of its own.
        providers: the options of each.
        tf32: what the process allows.
        case: what to run.

    Raises:
        NotAsAskedError: onnxruntime fell back to another provider.
        HifiError: it did not, but PyTorch has no GPU to hold the inputs.
    """
    from bench.backends.ort_session import Asked, OrtSession, open_session

    preload()
    asked = Asked(providers, (tf32,), shows_nodes=next(iter(providers)) == PROVIDER)
    session = open_session(case, asked)
    if stream is None:
        raise HifiError(gpu.why_no_gpu() or "PyTorch made no stream: install it anew")
    return OrtSession(session, asked, case, stream)


def provider_options(case: Case, stream: "torch.cuda.Stream | None") -> dict[str, str]:
    """What is set for CUDA: every option of ours, whatever onnxruntime's default."""
    return {
        "use_tf32": SWITCH[gpu.WORDS[tensor_cores(case)]],
        "cudnn_conv_algo_search": case.options["cudnn_conv_algo_search"],
        "fuse_conv_bias": SWITCH[case.options["fuse_conv_bias"]],
        "prefer_nhwc": SWITCH[case.options["prefer_nhwc"]],
        "enable_cuda_graph": SWITCH[case.options["cuda_graph"]],
        "cudnn_conv1d_pad_to_nc1d": SWITCH[case.options["cudnn_conv1d_pad_to_nc1d"]],
        **on_stream(stream),
    }


BACKENDS = (OrtCuda(),)
