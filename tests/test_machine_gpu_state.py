"""A GPU's state, field by field, from a driver that tells all, some or none of it."""

import os
import subprocess
import sys
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import psutil
import pynvml
import pytest

from bench.machine.gpu_state import family, gpu_at_work, gpu_state, in_words
from bench.records import GpuMoment, GpuState, Skipped

H200 = GpuState(
    "NVIDIA H200",
    "9.0",
    "580.1",
    "13.1",
    memory_bytes=2**37,
    used_bytes=2**30,
    sm_mhz=1980,
    memory_mhz=3201,
    throttle_reasons=("software power cap",),
    watts=121.5,
    celsius=41,
    ecc=True,
    mig=True,
    other_processes=2,
)
AT_WORK = GpuMoment(1980, 3201, ("software power cap",), 121.5, 41, 2)
EMPTY: dict[str, tuple[str, Any]] = {
    "nvmlDeviceGetComputeRunningProcesses": ("other_processes", 0),
    "nvmlDeviceGetPowerUsage": ("watts", 0),
    "nvmlDeviceGetTemperature": ("celsius", 0),
    "nvmlDeviceGetEccMode": ("ecc", False),
    "nvmlDeviceGetMigMode": ("mig", False),
}


class Driver:
    """NVML with one device; ``calls`` is what it was asked."""

    def __init__(self, patch: pytest.MonkeyPatch, own: int) -> None:
        self._patch = patch
        self.calls: list[str] = []
        processes = [SimpleNamespace(pid=pid) for pid in (own, own + 1, own + 2)]
        clocks = {pynvml.NVML_CLOCK_SM: 1980, pynvml.NVML_CLOCK_MEM: 3201}
        answers: dict[str, Callable[..., Any]] = {
            "nvmlInit": lambda: None,
            "nvmlShutdown": lambda: None,
            "nvmlDeviceGetHandleByIndex": lambda index: f"device {index}",
            "nvmlDeviceGetCudaComputeCapability": lambda _: (9, 0),
            "nvmlSystemGetCudaDriverVersion_v2": lambda: 13010,
            "nvmlDeviceGetName": lambda _: "NVIDIA H200",
            "nvmlSystemGetDriverVersion": lambda: "580.1",
            "nvmlDeviceGetMemoryInfo": lambda _: SimpleNamespace(total=2**37, used=2**30),
            "nvmlDeviceGetComputeRunningProcesses": lambda _: processes,
            "nvmlDeviceGetClockInfo": lambda _, kind: clocks[kind],
            "nvmlDeviceGetCurrentClocksEventReasons": lambda _: 0x5,
            "nvmlDeviceGetCurrentClocksThrottleReasons": lambda _: 0x5,
            "nvmlDeviceGetPowerUsage": lambda _: 121_500,
            "nvmlDeviceGetTemperature": lambda _, sensor: {0: 41}[sensor],
            "nvmlDeviceGetEccMode": lambda _: [1, 0],
            "nvmlDeviceGetMigMode": lambda _: [1, 0],
        }
        for name in dir(pynvml):
            if name.startswith("nvml") and name[4:5].isupper() and callable(getattr(pynvml, name)):
                patch.setattr(pynvml, name, self._logged(name, answers.get(name, self.unexpected)))

    def unexpected(self, *arguments: object) -> None:
        raise AssertionError(f"nobody should call {self.calls[-1]} {arguments}")

    def refuse(self, name: str, error: int = pynvml.NVML_ERROR_NOT_SUPPORTED) -> None:
        def fail(*_: object) -> None:
            raise pynvml.NVMLError(error)

        self._patch.setattr(pynvml, name, self._logged(name, fail))

    def _logged(self, name: str, answer: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: object) -> Any:
            self.calls.append(name)
            return answer(*arguments)

        return call


@pytest.fixture
def driver(monkeypatch: pytest.MonkeyPatch) -> Driver:
    monkeypatch.setattr("os.getpid", lambda: 100)
    monkeypatch.setattr("bench.machine.gpu_state.family", lambda: {100, 99})
    return Driver(monkeypatch, 100)


def test_everything_is_told_and_nothing_is_set(driver: Driver) -> None:
    assert gpu_state() == H200
    assert not [name for name in driver.calls if "Set" in name or "Reset" in name]
    assert driver.calls.count("nvmlInit") == driver.calls.count("nvmlShutdown")


def test_at_work_it_is_asked_after_the_work_began_and_nothing_is_set(driver: Driver) -> None:
    assert gpu_at_work(lambda: driver.calls.append("work")) == AT_WORK
    first, *_ = (name for name in driver.calls if name.startswith("nvmlDeviceGet"))
    asked = [name for name in driver.calls if name.startswith("nvmlDeviceGet") and name != first]
    assert first == "nvmlDeviceGetHandleByIndex"
    assert driver.calls.index("work") < min(map(driver.calls.index, asked))
    assert not [name for name in driver.calls if "Set" in name or "Reset" in name]
    assert driver.calls.count("nvmlInit") == driver.calls.count("nvmlShutdown") == 1


@pytest.mark.parametrize(
    ("name", "words"),
    [("nvmlInit", "no NVIDIA driver answers"), ("nvmlDeviceGetHandleByIndex", "does not tell")],
)
def test_a_driver_that_is_silent_is_a_reason_and_gives_no_work(
    driver: Driver, name: str, words: str
) -> None:
    driver.refuse(name)
    found = gpu_at_work(lambda: driver.calls.append("work"))
    assert isinstance(found, Skipped) and words in found.reason
    assert "work" not in driver.calls


def test_what_a_driver_does_not_tell_at_work_is_empty(driver: Driver) -> None:
    for name in EMPTY:
        driver.refuse(name)
    driver.refuse("nvmlDeviceGetCurrentClocksEventReasons")
    driver.refuse("nvmlDeviceGetCurrentClocksThrottleReasons")
    assert gpu_at_work(lambda: None) == GpuMoment(1980, 3201, (), 0.0, 0, 0)


def test_work_that_fails_lets_the_driver_go(driver: Driver) -> None:
    def fail() -> None:
        raise RuntimeError("out of memory")

    with pytest.raises(RuntimeError, match="out of memory"):
        gpu_at_work(fail)
    assert driver.calls[-1] == "nvmlShutdown"


@pytest.mark.parametrize("name", EMPTY)
def test_what_a_device_does_not_support_is_empty_and_the_rest_is_told(
    driver: Driver, name: str
) -> None:
    driver.refuse(name)
    found = gpu_state()
    field, empty = EMPTY[name]
    assert found == GpuState(**{**vars(H200), field: empty})


def test_clocks_that_are_not_told_are_zero(driver: Driver) -> None:
    driver.refuse("nvmlDeviceGetClockInfo")
    assert gpu_state() == GpuState(**{**vars(H200), "sm_mhz": 0, "memory_mhz": 0})


def test_an_older_driver_knows_the_older_name(driver: Driver) -> None:
    driver.refuse("nvmlDeviceGetCurrentClocksEventReasons", pynvml.NVML_ERROR_FUNCTION_NOT_FOUND)
    assert gpu_state() == H200
    driver.refuse("nvmlDeviceGetCurrentClocksThrottleReasons")
    assert gpu_state() == GpuState(**{**vars(H200), "throttle_reasons": ()})


@pytest.mark.parametrize(
    ("bits", "words"),
    [
        (0, ()),
        (0x1, ()),  # idle
        (0x4, ("software power cap",)),
        (0x28, ("hardware slowdown", "software thermal slowdown")),
        (0x1004, ("software power cap", "reason 0x1000")),
    ],
)
def test_reasons_are_told_in_words(bits: int, words: tuple[str, ...]) -> None:
    assert in_words(bits) == words


def test_the_bits_are_the_drivers() -> None:
    assert in_words(pynvml.nvmlClocksThrottleReasonSwPowerCap) == ("software power cap",)
    assert in_words(pynvml.nvmlClocksThrottleReasonHwThermalSlowdown) == (
        "hardware thermal slowdown",
    )
    assert in_words(pynvml.nvmlClocksThrottleReasonGpuIdle) == ()


def test_the_cells_of_one_run_are_no_others(monkeypatch: pytest.MonkeyPatch) -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as sibling:
        started_here = {os.getpid(), sibling.pid}
        with monkeypatch.context() as patch:
            patch.setattr("os.getppid", os.getpid)  # as it is seen from a cell
            assert started_here <= family()
    assert {os.getpid(), os.getppid()} <= family() and 1 not in family() - {os.getppid()}


def test_a_parent_that_is_gone_leaves_the_process_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    def gone(pid: int) -> None:
        raise psutil.NoSuchProcess(pid)

    monkeypatch.setattr("psutil.Process", gone)
    assert family() == {os.getpid(), os.getppid()}


def test_no_driver_is_a_reason(driver: Driver) -> None:
    driver.refuse("nvmlInit", pynvml.NVML_ERROR_LIBRARY_NOT_FOUND)
    found = gpu_state()
    assert isinstance(found, Skipped) and "no CUDA device" in found.reason


def test_a_device_that_is_lost_meanwhile_is_a_reason_and_the_driver_is_let_go(
    driver: Driver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bench.machine.gpu_state.find_gpu", lambda: H200)
    driver.refuse("nvmlDeviceGetHandleByIndex", pynvml.NVML_ERROR_GPU_IS_LOST)
    found = gpu_state()
    assert isinstance(found, Skipped) and found.reason.startswith("the NVIDIA driver does not tell")
    assert driver.calls[-1] == "nvmlShutdown"
