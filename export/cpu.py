"""What this machine's CPU has that decides how fast a network runs, and in which form."""

import os
from collections.abc import Mapping
from pathlib import Path

FEATURES = (
    "avx2",
    "fma",
    "f16c",
    "avx_vnni",
    "avx512f",
    "avx512_vnni",
    "avx512_bf16",
    "avx512_fp16",
    "amx_tile",
    "amx_int8",
    "amx_bf16",
    "amx_fp16",
)
CPU_INFO = Path("/proc/cpuinfo")
LIMIT = "ONEDNN_MAX_CPU_ISA"
LAST: Mapping[str, str] = {
    "AVX2": "f16c",
    "AVX2_VNNI": "avx_vnni",
    "AVX512_CORE": "avx512f",
    "AVX512_CORE_VNNI": "avx512_vnni",
    "AVX512_CORE_BF16": "avx512_bf16",
    "AVX512_CORE_FP16": "avx512_fp16",
    "AVX512_CORE_AMX": "amx_bf16",
}
"""The newest of the features that each value of oneDNN's own variable leaves."""


def cpu_features() -> tuple[str, ...]:
    """Vector and matrix instructions, oldest first, as Linux names them."""
    try:
        lines = CPU_INFO.read_text().splitlines()
    except OSError:
        return ()
    flags = next((set(line.split()) for line in lines if line.startswith("flags")), set())
    return tuple(name for name in FEATURES if name in flags)


def limit() -> str:
    """What oneDNN, and so OpenVINO and PyTorch, is held below by its variable, or ""."""
    told = os.environ.get(LIMIT, "").upper()
    return told if told in LAST else ""


def onednn_features() -> tuple[str, ...]:
    """The instructions that oneDNN uses."""
    newest = FEATURES.index(LAST.get(limit(), FEATURES[-1]))
    return tuple(name for name in cpu_features() if FEATURES.index(name) <= newest)


def multiplies_tiles() -> bool:
    """Whether oneDNN multiplies bf16 and int8 in tiles (AMX), where other forms win."""
    return "amx_tile" in onednn_features()
