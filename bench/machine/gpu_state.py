"""The first GPU as its driver tells it, idle or at work; only read, never set.

What a device or a driver does not tell has its empty value: 0, no reasons, off.
"""

import os
from collections.abc import Callable
from dataclasses import asdict
from typing import Any, TypeVar

from bench.records import GpuMoment, GpuState, Skipped
from export.gpu import Gpu, find_gpu
from export.nvml import DriverError, driver
from hifigan_ref.errors import HifiError

Value = TypeVar("Value")

# As in the driver's header; an idle GPU's low clocks are no reason to distrust a time.
REASONS = {
    0x2: "applications clocks setting",
    0x4: "software power cap",
    0x8: "hardware slowdown",
    0x10: "sync boost",
    0x20: "software thermal slowdown",
    0x40: "hardware thermal slowdown",
    0x80: "hardware power brake slowdown",
    0x100: "display clock setting",
}
IDLE = 0x1
CORE = 0  # the sensor of the chip


def gpu_state() -> GpuState | Skipped:
    """Clocks, temperature and whoever else is there, or why there is no GPU to ask."""
    try:
        gpu = find_gpu()
        with driver() as nvml:
            return _state(gpu, nvml, nvml.nvmlDeviceGetHandleByIndex(0))
    except HifiError as error:
        return Skipped(str(error))


def gpu_at_work(start: Callable[[], None]) -> GpuMoment | Skipped:
    """What changes of its state, asked while it works, or why nobody tells.

    Args:
        start: gives it work for longer than the driver takes to answer, and returns at once.
    """
    try:
        with driver() as nvml:
            handle = nvml.nvmlDeviceGetHandleByIndex(0)
            start()
            return _moment(nvml, handle)
    except DriverError as error:
        return Skipped(str(error))


def in_words(bits: int) -> tuple[str, ...]:
    """Why clocks are low; a bit of a newer driver is told by its number."""
    known = tuple(words for bit, words in REASONS.items() if bits & bit)
    rest = bits & ~(sum(REASONS) | IDLE)
    return (*known, f"reason 0x{rest:x}") if rest else known


def told(ask: Callable[[], Value], empty: Value) -> Value:
    """What the driver says, or the empty value where it does not."""
    import pynvml

    try:
        return ask()
    except pynvml.NVMLError:
        return empty


def family() -> set[int]:
    """This process, whoever started it and all that it started: the cells of one run."""
    import psutil

    parent = os.getppid()
    try:
        siblings = psutil.Process(parent).children(recursive=True)
    except psutil.Error:
        siblings = []  # it ended meanwhile, or is nobody's to see
    return {os.getpid(), parent, *(each.pid for each in siblings)}


def _state(gpu: Gpu, nvml: Any, handle: Any) -> GpuState:
    return GpuState(
        name=gpu.name,
        compute_capability=gpu.compute_capability,
        driver=gpu.driver,
        cuda=gpu.cuda,
        memory_bytes=gpu.memory_bytes,
        used_bytes=told(lambda: int(nvml.nvmlDeviceGetMemoryInfo(handle).used), 0),
        ecc=told(lambda: bool(nvml.nvmlDeviceGetEccMode(handle)[0]), empty=False),
        mig=told(lambda: bool(nvml.nvmlDeviceGetMigMode(handle)[0]), empty=False),
        **asdict(_moment(nvml, handle)),
    )


def _moment(nvml: Any, handle: Any) -> GpuMoment:
    """Whatever changes fast is asked first."""
    reasons = _reasons(nvml, handle)
    sm_mhz = told(lambda: int(nvml.nvmlDeviceGetClockInfo(handle, nvml.NVML_CLOCK_SM)), 0)
    memory_mhz = told(lambda: int(nvml.nvmlDeviceGetClockInfo(handle, nvml.NVML_CLOCK_MEM)), 0)
    milliwatts = told(lambda: int(nvml.nvmlDeviceGetPowerUsage(handle)), 0)
    celsius = told(lambda: int(nvml.nvmlDeviceGetTemperature(handle, CORE)), 0)
    processes: list[Any] = told(lambda: nvml.nvmlDeviceGetComputeRunningProcesses(handle), [])
    others = len({each.pid for each in processes} - family())
    return GpuMoment(sm_mhz, memory_mhz, in_words(reasons), milliwatts / 1e3, celsius, others)


def _reasons(nvml: Any, handle: Any) -> int:
    """Bits, asked by the older name where a driver does not know the newer one."""
    older = told(lambda: int(nvml.nvmlDeviceGetCurrentClocksThrottleReasons(handle)), 0)
    return told(lambda: int(nvml.nvmlDeviceGetCurrentClocksEventReasons(handle)), older)
