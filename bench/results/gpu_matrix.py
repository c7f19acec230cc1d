"""What is measured on a GPU: parts of a few rows each, what matters most first, as time may end.

A part is kept only when its rounds are through, so it is small. PyTorch is in each: how many times
as fast a row is, is said of rows that took turns.
"""

import hashlib
from dataclasses import dataclass

from bench.machine.survey import usable_cores
from bench.stopping import Limits
from bench.suite import Plan
from hifigan_ref import audio
from hifigan_ref.variant import Variant

CELL_SECONDS = 180.0
BOTH = (Variant("mpd"), Variant("msd"))
SINGLE = (Variant("mpd", "11"), Variant("msd", "0"))
BASE = "torch-cuda"
PEERS = (BASE, "torch-cuda-compile", "ort-cuda", "trt")
GRAPHS = (BASE, *(f"{name}:cuda_graph=on" for name in (BASE, "ort-cuda", "trt")))
SEARCHES = (
    BASE,
    *(f"ort-cuda:cudnn_conv_algo_search={mode}" for mode in ("HEURISTIC", "DEFAULT", "EXHAUSTIVE")),
)
REBUILDS = (BASE, *(f"trt:build={number}" for number in range(1, 6)))
IN_TORCH = (
    BASE,
    "torch-cuda:norms=folded",
    "torch-cuda:precision=tf32",
    "torch-cuda-compile:mode=max-autotune-no-cudagraphs",
)
IN_ORT = (
    BASE,
    "ort-cuda",
    "ort-cuda:precision=tf32",
    "ort-cuda:prefer_nhwc=on",
    "ort-cuda:cudnn_conv1d_pad_to_nc1d=on",
)
IN_TRT = (BASE, "ort-trt", "trt", "trt:precision=tf32", "trt:profile=range")
COMPILED_FP16 = "torch-cuda-compile:precision=fp16,norms=folded"
# norms in half precision cost more than the budget allows; files have them folded anyway
FP16 = (
    BASE,
    "torch-cuda:precision=fp16,norms=folded",
    COMPILED_FP16,
    "ort-cuda:precision=fp16",
    "trt:precision=fp16",
)
IN_NHWC = "ort-cuda:precision=fp16,prefer_nhwc=on"
# Bias within a convolution's kernel, which onnxruntime has for convolutions without groups alone.
FP16_MPD = (
    BASE,
    COMPILED_FP16,
    "ort-cuda:precision=fp16",
    f"{IN_NHWC},fuse_conv_bias=on,cuda_graph=on",
)
FP16_MSD = (
    BASE,
    COMPILED_FP16,
    "ort-cuda:precision=fp16",
    f"{IN_NHWC},cudnn_conv_algo_search=HEURISTIC,cuda_graph=on,lowering=default",
)
FASTER_FP16 = (
    BASE,
    "torch-cuda-compile:precision=fp16,norms=folded,mode=max-autotune-no-cudagraphs",
    "torch-cuda-compile:precision=fp16,norms=folded,mode=reduce-overhead",
    "ort-cuda:precision=fp16,prefer_nhwc=on",
    "trt:precision=fp16,cuda_graph=on",
    "ort-trt:precision=fp16",
)
BF16 = (
    BASE,
    "torch-cuda:precision=bf16,norms=folded",
    "torch-cuda-compile:precision=bf16,norms=folded",
    "trt:precision=bf16",
)
INT8 = (BASE, "trt", "trt:precision=int8", "trt:precision=int8,cuda_graph=on")
LENGTHS = (8192, 8195, 12000)  # a search that remembers lengths meets new ones


@dataclass(frozen=True)
class Part:
    """Rows that belong together.

    Attributes:
        backends: with their options.
        variants: networks.
        batches: N.
        samples: T.
        pair: real and generated in one pass.
    """

    backends: tuple[str, ...]
    variants: tuple[Variant, ...] = BOTH
    batches: tuple[int, ...] = (16,)
    samples: int = 8192
    pair: bool = False

    @property
    def name(self) -> str:
        """By who takes turns in it."""
        return hashlib.sha256(repr(self.backends).encode()).hexdigest()[:8]


PARTS = (
    Part(FP16_MSD, variants=BOTH[1:], pair=True),
    Part(FP16_MPD, variants=BOTH[:1], pair=True),
    Part(PEERS),
    Part(GRAPHS),
    *(Part(backends, pair=True) for backends in (PEERS, FP16, FASTER_FP16, INT8, BF16)),
    Part(PEERS, batches=(1, 32)),
    Part(GRAPHS, batches=(1, 32)),
    *(Part(backends) for backends in (IN_TORCH, IN_ORT, IN_TRT, SEARCHES)),
    Part(REBUILDS, variants=SINGLE),
    *(Part(SEARCHES, variants=SINGLE[1:], samples=length) for length in LENGTHS),
)


def plan_of(part: Part, limit: float, timeout: float = CELL_SECONDS) -> Plan:
    """The part on the shipped clip."""
    return Plan(
        backends=part.backends,
        variants=part.variants,
        batches=part.batches,
        sizes={"samples": part.samples},
        views=("pair",) if part.pair else (),
        threads=usable_cores(),
        recording=audio.speech(),
        limits=Limits(limit, min(Limits.least, limit), limit),
        timeout=timeout,
    )
