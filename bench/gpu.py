"""An NVIDIA GPU: why there is none to run on, what this process holds of it, giving it back."""

import gc
import os
import traceback
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

from bench.records import Claim
from export.nvml import DriverError, driver
from export.optional import why_missing

DEVICE = "cuda"
OVERRIDE = "NVIDIA_TF32_OVERRIDE"  # 0 keeps every NVIDIA library of the process from TF32
WORDS = {True: "on", False: "off"}
TORCH_WITH_CUDA = "install one built for CUDA (pip install --force-reinstall torch)"


def why_no_gpu() -> str | None:
    """Why PyTorch cannot run on a GPU here and what to install, in one line, or None."""
    import torch

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # an old driver, which is told below
        if torch.cuda.is_available():
            return None
    return why_missing("pynvml", "pip install nvidia-ml-py") or _why_no_device() or _why_not_torch()


def held_bytes() -> int:
    """Device memory of this process: as the driver says, else as PyTorch does."""
    import torch

    # within a container the driver may know the process by another number
    return _told_by_driver() or int(torch.cuda.memory_allocated())


def memory_claim() -> Claim:
    """A process that runs on a GPU holds some of its memory."""
    held = held_bytes()
    return Claim("device memory", "above 0 MiB", f"{held / 2**20:.1f} MiB", held > 0)


def tf32_claim(asked: str) -> Claim:
    """Nothing keeps a process from TF32 that was asked for it.

    Args:
        asked: ``on`` or ``off``.
    """
    found = os.environ.get(OVERRIDE, "unset")
    wanted = "anything" if asked == "off" else "not 0"
    return Claim(OVERRIDE, wanted, found, asked == "off" or found != "0")


def release() -> None:
    """Give the memory that nothing uses any more back to the driver, for the next runtime."""
    import torch

    gc.collect()
    torch.cuda.empty_cache()


@contextmanager
def freed_on_failure() -> Iterator[None]:
    """Whatever the failed calls within still refer to is given back before the error goes on."""
    try:
        yield
    except BaseException as error:
        traceback.clear_frames(error.__traceback__)
        release()
        raise


def _why_no_device() -> str | None:
    try:
        with driver() as nvml:
            count = nvml.nvmlDeviceGetCount()
    except DriverError as error:
        return f"{error}: install an NVIDIA GPU and its driver"
    return None if count else "the NVIDIA driver sees no GPU: install one, or share one with this"


def _why_not_torch() -> str:
    import torch

    if torch.version.cuda is None:
        return f"torch {torch.__version__} is a CPU build: {TORCH_WITH_CUDA}"
    return (
        f"torch {torch.__version__} finds no GPU for CUDA {torch.version.cuda}: install a newer "
        "driver, or see what CUDA_VISIBLE_DEVICES hides"
    )


def _told_by_driver() -> int:
    """Bytes of this process on every GPU, or 0 where the driver does not say."""
    try:
        with driver() as nvml:
            handles = map(nvml.nvmlDeviceGetHandleByIndex, range(nvml.nvmlDeviceGetCount()))
            running = [p for h in handles for p in nvml.nvmlDeviceGetComputeRunningProcesses(h)]
    except DriverError:
        return 0
    return sum(p.usedGpuMemory or 0 for p in running if p.pid == os.getpid())
