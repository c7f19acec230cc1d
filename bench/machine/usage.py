"""What a row costs beside time: memory of the process, memory and energy of a GPU."""

import sys
from collections.abc import Callable
from pathlib import Path
from time import perf_counter

from bench.records import Skipped
from export.nvml import DriverError, driver

STATUS = Path("/proc/self/status")
ENERGY_SECONDS = 10.0  # the counter moves in steps: the fewer, the less exact


def peak_memory_bytes() -> int | Skipped:
    """The most memory that this process has held.

    Linux: the high-water mark of its own address space. ``ru_maxrss`` stands at the parent's mark
    in a process that was started from a larger one.
    """
    try:
        marks = [line for line in STATUS.read_text().splitlines() if line.startswith("VmHWM:")]
    except OSError:
        marks = []
    return 2**10 * int(marks[0].split()[1]) if marks else _peak_elsewhere()


def device_memory_bytes() -> int | Skipped:
    """Memory of every GPU that this process holds now, as the driver says, else as PyTorch does."""
    import torch

    from bench.gpu import held_bytes

    return held_bytes() if torch.cuda.is_available() else Skipped("PyTorch has no GPU here")


def joules_per_item(
    call: Callable[[], None],
    items: int,
    seconds: float = ENERGY_SECONDS,
    clock: Callable[[], float] = perf_counter,
) -> float | Skipped:
    """Energy of the first GPU for one item, from its own counter, or why it does not count.

    The whole card is counted, whatever else runs on it and its idle power included.

    Args:
        call: one pass, waited for.
        items: in a pass.
        seconds: to call at least.
        clock: of the host.
    """
    before = millijoules()
    if isinstance(before, Skipped):
        return before
    calls, start = 0, clock()
    while clock() - start < seconds:
        call()
        calls += 1
    after = millijoules()
    return after if isinstance(after, Skipped) else (after - before) / 1e3 / (calls * items)


def millijoules() -> int | Skipped:
    """Counter of the first GPU since its driver was loaded, or why there is none."""
    try:
        with driver() as nvml:
            return int(nvml.nvmlDeviceGetTotalEnergyConsumption(nvml.nvmlDeviceGetHandleByIndex(0)))
    except DriverError as error:
        return Skipped(f"energy is not counted: {error}")


def _peak_elsewhere() -> int | Skipped:
    try:
        import resource
    except ImportError:
        return Skipped("this system does not tell the peak memory of a process")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else 2**10 * peak
