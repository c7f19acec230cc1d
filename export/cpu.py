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
INSTRUCTIONS: Mapping[str, tuple[str, ...]] = {
    "bf16": ("avx512_bf16", "amx_bf16"),
    "fp16": ("avx512_fp16", "amx_fp16"),
    "int8": ("avx_vnni", "avx512_vnni", "amx_int8"),
}
"""Any of which multiplies in a precision."""
CPU_INFO = Path("/proc/cpuinfo")
LIMIT = "ONEDNN_MAX_CPU_ISA"
OLDER_NAME = "DNNL_MAX_CPU_ISA"
LAST: Mapping[str, str] = {
    "SSE41": "",
    "AVX": "",
    "AVX2": "f16c",
    "AVX2_VNNI": "avx_vnni",
    "AVX2_VNNI_2": "avx_vnni",
    "AVX512_CORE": "avx512f",
    "AVX512_CORE_VNNI": "avx512_vnni",
    "AVX512_CORE_BF16": "avx512_bf16",
    "AVX512_CORE_FP16": "avx512_fp16",
    "AVX10_1_512": "avx512_fp16",
    "AVX10_2_512": "avx512_fp16",
    "AVX10_2": "avx512_fp16",
    "AVX512_CORE_AMX": "amx_bf16",
    "AVX10_1_512_AMX": "amx_bf16",
    "AVX512_CORE_AMX_FP16": "amx_fp16",
    "AVX10_1_512_AMX_FP16": "amx_fp16",
}
"""The newest of the features that each value of oneDNN's own variable leaves, "" for none."""


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
    told = os.environ.get(LIMIT) or os.environ.get(OLDER_NAME, "")
    return told.upper() if told.upper() in LAST else ""


def onednn_features() -> tuple[str, ...]:
    """The instructions that oneDNN uses."""
    last = LAST.get(limit(), FEATURES[-1])
    left = FEATURES[: FEATURES.index(last) + 1] if last else ()
    return tuple(name for name in cpu_features() if name in left)


def multiplies(precision: str) -> bool:
    """Whether oneDNN multiplies in a precision as such, and not by way of another."""
    wanted = INSTRUCTIONS.get(precision)
    return wanted is None or not set(wanted).isdisjoint(onednn_features())


def multiplies_bf16() -> bool:
    """Whether oneDNN multiplies bf16 as such, and not by way of float32."""
    return multiplies("bf16")


def multiplies_tiles() -> bool:
    """Whether oneDNN multiplies bf16 and int8 in tiles (AMX), where other forms win."""
    return "amx_tile" in onednn_features()
