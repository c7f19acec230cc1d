"""How fast this machine's memory is: a copy far larger than the caches, read plus written.

A CPU also reads what it is about to overwrite, which is not counted: no runtime can avoid that
either, so a layer's bytes and this number are counted in the same way.
"""

import re
from collections.abc import Callable
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING

from export import memory

if TYPE_CHECKING:
    import torch

LEAST_BYTES = 256 * 2**20
CACHES = 8  # how many times the last level goes into a buffer
SHARE = 8  # of the free memory that a buffer may take: one in so many
SECONDS = 1.0
CALLS = 5
CPU_CACHES = Path("/sys/devices/system/cpu/cpu0/cache")
UNITS = {"K": 2**10, "M": 2**20, "G": 2**30}


def copy_bandwidth(threads: int) -> float:
    """Of the host's memory by so many threads, 10^9 bytes a second; the fastest copy counts."""
    import psutil
    import torch

    torch.set_num_threads(threads)
    free = min(psutil.virtual_memory().available, memory.usable_bytes())
    size = min(buffer_bytes(last_level_cache()), free // SHARE)
    source, target = torch.ones(size, dtype=torch.uint8), torch.zeros(size, dtype=torch.uint8)

    def copy() -> float:
        start = perf_counter()
        target.copy_(source)
        return perf_counter() - start

    return 2 * size / fastest(copy, CALLS, SECONDS) / 1e9


def gpu_copy_bandwidth() -> float:
    """Of the first GPU's own memory, by its clock, 10^9 bytes a second."""
    import torch

    size = buffer_bytes(torch.cuda.get_device_properties(0).L2_cache_size)
    source = torch.ones(size, dtype=torch.uint8, device="cuda")
    target = torch.empty_like(source)
    return 2 * size / fastest(by_events(lambda: target.copy_(source)), CALLS, SECONDS) / 1e9


def buffer_bytes(cache: int) -> int:
    """Of each of the two buffers, for a last level of so many bytes."""
    return max(LEAST_BYTES, CACHES * cache)


def last_level_cache() -> int:
    """Bytes of the largest cache that the first core sees, 0 where the system does not tell."""
    texts = [_read(path) for path in CPU_CACHES.glob("index*/size")]
    sizes = [re.fullmatch(r"(\d+)([KMG])", text) for text in texts]
    return max((int(size[1]) * UNITS[size[2]] for size in sizes if size), default=0)


def by_events(call: Callable[[], "torch.Tensor"]) -> Callable[[], float]:
    """Seconds of a call by events on a GPU's stream."""
    import torch

    start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))  # type: ignore[no-untyped-call]

    def timed() -> float:
        start.record()
        call()
        end.record()
        end.synchronize()
        return float(start.elapsed_time(end)) / 1e3

    return timed


def fastest(timed: Callable[[], float], calls: int, seconds: float) -> float:
    """The shortest of at least so many calls that take at least so long together, seconds."""
    times: list[float] = []
    while len(times) < calls or sum(times) < seconds:
        times.append(timed())
    return min(times)


def _read(path: Path) -> str:
    try:
        return path.read_text().strip()
    except OSError:
        return ""
