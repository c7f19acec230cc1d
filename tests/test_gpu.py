"""The GPU as its driver tells it."""

import sys
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pynvml
import pytest

from export.gpu import find_gpu
from hifigan_ref.errors import HifiError


@pytest.fixture
def driver(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """A driver with one device; what was called, in order."""
    log: list[str] = []

    def answer(name: str, value: Any) -> None:
        def call(*_: object) -> Any:
            log.append(name)
            return value

        monkeypatch.setattr(pynvml, name, call)

    answer("nvmlInit", None)
    answer("nvmlDeviceGetHandleByIndex", object())
    answer("nvmlDeviceGetCudaComputeCapability", (9, 0))
    answer("nvmlSystemGetCudaDriverVersion_v2", 13010)
    answer("nvmlDeviceGetName", b"NVIDIA H200")
    answer("nvmlSystemGetDriverVersion", "580.1")
    answer("nvmlDeviceGetMemoryInfo", SimpleNamespace(total=5))
    answer("nvmlShutdown", None)
    return log


def test_a_device_is_told(driver: list[str]) -> None:
    found = find_gpu()
    assert (found.name, found.compute_capability, found.target) == ("NVIDIA H200", "9.0", "sm90")
    assert (found.driver, found.cuda, found.memory_bytes) == ("580.1", "13.1", 5)
    assert str(found) == "NVIDIA H200 (compute capability 9.0)"
    assert driver[-1] == "nvmlShutdown"


def failing(error: int) -> Callable[..., None]:
    def fail(*_: object) -> None:
        raise pynvml.NVMLError(error)

    return fail


def test_no_driver_is_an_error_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pynvml, "nvmlInit", failing(pynvml.NVML_ERROR_LIBRARY_NOT_FOUND))
    with pytest.raises(HifiError, match="no CUDA device: no NVIDIA driver answers") as told:
        find_gpu()
    assert "\n" not in str(told.value)


def test_no_library_of_the_driver_is_an_error_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pynvml", None)
    with pytest.raises(HifiError, match="pynvml cannot be imported .*pip install nvidia-ml-py$"):
        find_gpu()


def test_no_device_is_an_error_and_the_driver_is_let_go(
    driver: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pynvml, "nvmlDeviceGetHandleByIndex", failing(pynvml.NVML_ERROR_NOT_FOUND))
    with pytest.raises(HifiError, match="no CUDA device: the NVIDIA driver does not tell"):
        find_gpu()
    assert driver[-1] == "nvmlShutdown"
