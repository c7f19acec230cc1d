"""Memory and energy of a process: its own, and said where they are not known."""

import subprocess
import sys
from pathlib import Path

import pynvml
import pytest

from bench.machine import usage
from bench.machine.usage import device_memory_bytes, joules_per_item, peak_memory_bytes
from bench.records import Skipped
from fakes import TickingClock

CHILD = "from bench.machine.usage import peak_memory_bytes; print(peak_memory_bytes())"
LARGE = 256 * 2**20


def test_the_peak_grows_with_what_is_held_and_stays() -> None:
    before = peak_memory_bytes()
    assert isinstance(before, int)
    size = before + 64 * 2**20
    held = bytearray(size)
    held[::4096] = b"x" * len(held[::4096])
    del held
    after = peak_memory_bytes()
    assert isinstance(after, int) and size < after < 2 * size + before


@pytest.mark.skipif(not usage.STATUS.exists(), reason="this system has no /proc")
def test_a_process_does_not_inherit_the_peak_of_the_larger_one_that_started_it() -> None:
    held = b"x" * LARGE
    root = Path(usage.__file__).parents[2]
    ran = subprocess.run(
        [sys.executable, "-c", CHILD], cwd=root, capture_output=True, text=True, check=True
    )
    own = peak_memory_bytes()
    assert isinstance(own, int) and len(held) < own
    assert 2**20 < int(ran.stdout) < LARGE


def test_a_system_without_proc_is_asked_for_its_resource_usage(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    told = peak_memory_bytes()
    monkeypatch.setattr(usage, "STATUS", tmp_path / "none")
    other = peak_memory_bytes()
    assert isinstance(told, int) and isinstance(other, int)
    assert other > 2**20


def test_without_a_gpu_there_is_no_device_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert device_memory_bytes() == Skipped("PyTorch has no GPU here")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr("bench.gpu.held_bytes", lambda: 5)
    assert device_memory_bytes() == 5


@pytest.fixture
def counter(monkeypatch: pytest.MonkeyPatch) -> TickingClock:
    """A GPU that draws 100 W by this clock."""
    clock = TickingClock()
    monkeypatch.setattr(pynvml, "nvmlInit", lambda: None)
    monkeypatch.setattr(pynvml, "nvmlShutdown", lambda: None)
    monkeypatch.setattr(pynvml, "nvmlDeviceGetHandleByIndex", lambda index: index)
    monkeypatch.setattr(
        pynvml, "nvmlDeviceGetTotalEnergyConsumption", lambda _: 7000 + int(100_000 * clock.now)
    )
    return clock


def test_energy_is_taken_over_ten_seconds_and_shared_among_the_items(
    counter: TickingClock,
) -> None:
    lengths: list[float] = []

    def call() -> None:
        lengths.append(0.75)
        counter.tick(0.75)

    assert joules_per_item(call, 4, clock=counter) == pytest.approx(100 * 0.75 / 4)
    assert len(lengths) == 14, "the fourteenth call ends after 10 s"


def test_a_gpu_that_does_not_count_is_a_reason_and_nothing_runs(
    counter: TickingClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: object) -> int:
        raise pynvml.NVMLError(pynvml.NVML_ERROR_NOT_SUPPORTED)

    monkeypatch.setattr(pynvml, "nvmlDeviceGetTotalEnergyConsumption", fail)
    found = joules_per_item(lambda: counter.tick(1), 1, clock=counter)
    assert isinstance(found, Skipped) and "energy is not counted" in found.reason
    assert counter.now == 0


def test_no_driver_is_a_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> None:
        raise pynvml.NVMLError(pynvml.NVML_ERROR_LIBRARY_NOT_FOUND)

    monkeypatch.setattr(pynvml, "nvmlInit", fail)
    found = joules_per_item(lambda: None, 1)
    assert isinstance(found, Skipped) and "no NVIDIA driver" in found.reason
