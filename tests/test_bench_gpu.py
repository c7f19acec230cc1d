"""A GPU that is not there is explained; what failed calls held is given back."""

import gc
import os
import weakref
from dataclasses import dataclass, field

import pynvml
import pytest
import torch

from bench import gpu


@dataclass
class Driver:
    """What NVML says; ``calls`` is what it was asked."""

    count: int = 1
    processes: tuple[tuple[int, int | None], ...] = ()
    calls: list[str] = field(default_factory=list)

    def install(self, patch: pytest.MonkeyPatch) -> None:
        patch.setattr(pynvml, "nvmlInit", lambda: self.calls.append("init"))
        patch.setattr(pynvml, "nvmlShutdown", lambda: self.calls.append("shutdown"))
        patch.setattr(pynvml, "nvmlDeviceGetCount", lambda: self.count)
        patch.setattr(pynvml, "nvmlDeviceGetHandleByIndex", lambda index: index)
        patch.setattr(pynvml, "nvmlDeviceGetComputeRunningProcesses", self.running)

    def running(self, index: int) -> list[object]:
        """All of them on the last GPU."""
        last = index == self.count - 1
        return [Process(*each) for each in self.processes] if last else []


@dataclass
class Process:
    pid: int
    usedGpuMemory: int | None  # noqa: N815


def no_driver() -> None:
    raise pynvml.NVMLError_LibraryNotFound


@pytest.fixture
def without(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """PyTorch has no GPU."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    return monkeypatch


def one_line(reason: str | None) -> str:
    assert reason is not None and "install" in reason and "\n" not in reason
    return reason


def test_a_gpu_that_pytorch_can_use_is_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(pynvml, "nvmlInit", no_driver)
    assert gpu.why_no_gpu() is None


def test_no_driver_is_the_reason(without: pytest.MonkeyPatch) -> None:
    without.setattr(pynvml, "nvmlInit", no_driver)
    assert "no NVIDIA driver" in one_line(gpu.why_no_gpu())


def test_no_device_is_the_reason(without: pytest.MonkeyPatch) -> None:
    driver = Driver(count=0)
    driver.install(without)
    assert "sees no GPU" in one_line(gpu.why_no_gpu())
    assert driver.calls == ["init", "shutdown"]


def test_a_cpu_build_of_torch_is_the_reason(without: pytest.MonkeyPatch) -> None:
    Driver().install(without)
    without.setattr(torch.version, "cuda", None)
    reason = one_line(gpu.why_no_gpu())
    assert "install one built for CUDA (pip install" in reason and torch.__version__ in reason


def test_a_torch_that_finds_no_gpu_is_the_reason(without: pytest.MonkeyPatch) -> None:
    Driver().install(without)
    without.setattr(torch.version, "cuda", "13.0")
    assert "finds no GPU for CUDA 13.0" in one_line(gpu.why_no_gpu())


def test_a_warning_of_an_old_driver_is_no_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    import warnings

    def old() -> bool:
        warnings.warn("the NVIDIA driver on your system is too old", UserWarning, stacklevel=1)
        return False

    monkeypatch.setattr(torch.cuda, "is_available", old)
    Driver().install(monkeypatch)
    one_line(gpu.why_no_gpu())


@pytest.mark.parametrize(
    ("processes", "allocated", "held"),
    [
        (((os.getpid(), 300), (os.getpid() + 1, 5000)), 7, 300),
        (((os.getpid(), None),), 7, 7),
        (((os.getpid() + 1, 5000),), 7, 7),
        ((), 0, 0),
    ],
)
def test_memory_is_this_processs(
    monkeypatch: pytest.MonkeyPatch,
    processes: tuple[tuple[int, int | None], ...],
    allocated: int,
    held: int,
) -> None:
    driver = Driver(count=2, processes=processes)
    driver.install(monkeypatch)
    monkeypatch.setattr(torch.cuda, "memory_allocated", lambda: allocated)
    assert gpu.held_bytes() == held
    assert driver.calls == ["init", "shutdown"]
    assert gpu.memory_claim().holds == (held > 0)


def test_without_a_driver_pytorch_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pynvml, "nvmlInit", no_driver)
    monkeypatch.setattr(torch.cuda, "memory_allocated", lambda: 2**20)
    assert gpu.memory_claim().found == "1.0 MiB"


@pytest.mark.parametrize(
    ("asked", "variable", "holds"),
    [
        ("off", None, True),
        ("off", "0", True),
        ("on", None, True),
        ("on", "1", True),
        ("on", "0", False),
    ],
)
def test_tf32_can_be_kept_away_by_the_process(
    monkeypatch: pytest.MonkeyPatch, asked: str, variable: str | None, holds: bool
) -> None:
    monkeypatch.delenv(gpu.OVERRIDE, raising=False)
    if variable is not None:
        monkeypatch.setenv(gpu.OVERRIDE, variable)
    assert gpu.tf32_claim(asked).holds == holds


class Big:
    """Stands for a tensor."""


def test_what_failed_calls_held_is_gone_before_the_error_goes_on() -> None:
    seen: list[weakref.ref[Big]] = []

    def fail() -> None:
        big = Big()
        seen.append(weakref.ref(big))
        raise RuntimeError("CUDA out of memory")

    def prepare() -> None:
        with gpu.freed_on_failure():
            fail()

    gc.collect()
    with pytest.raises(RuntimeError) as caught:
        prepare()
    assert caught.tb is not None, "the traceback, and the frames in it, still live"
    assert seen[0]() is None


@pytest.fixture
def released(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    log: list[str] = []
    monkeypatch.setattr(torch.cuda, "empty_cache", lambda: log.append("empty"))
    return log


def test_memory_goes_back_to_the_driver_only_where_a_call_failed(released: list[str]) -> None:
    with gpu.freed_on_failure():
        pass
    assert released == []
    with pytest.raises(KeyboardInterrupt), gpu.freed_on_failure():
        raise KeyboardInterrupt
    assert released == ["empty"]
