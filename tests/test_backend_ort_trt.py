"""onnxruntime with TensorRT: an engine in float32, and one that cannot start is no result."""

import importlib
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import onnxruntime as ort
import pytest
import torch

from bench import gpu
from bench.backend import Case
from bench.backends import ort_trt
from bench.backends.ort_cuda import HOST
from bench.backends.ort_cuda import PROVIDER as CUDA
from bench.backends.ort_trt import PROVIDER, OrtTrt
from bench.records import Parity, Result, Skipped


@pytest.fixture(autouse=True)
def left_as_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    """A session sets it for the rest of its process, where other tests may want TF32."""
    monkeypatch.setenv(gpu.OVERRIDE, "0")


@pytest.fixture
def said_to_be_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(OrtTrt, "missing", lambda _: None)


@pytest.mark.usefixtures("said_to_be_there")
@pytest.mark.skipif(torch.cuda.is_available(), reason="a GPU is there: TensorRT may well start")
def test_an_engine_that_cannot_be_is_no_row_of_another_provider(
    row_of: Callable[[str], Result],
) -> None:
    """onnxruntime would go on with the CPU and say so on its way."""
    if PROVIDER not in ort.get_available_providers():
        pytest.skip(f"this onnxruntime has no {PROVIDER}: pip install onnxruntime-gpu")
    row = row_of("ort-trt")
    assert isinstance(row.measurement, Skipped) and not isinstance(row.parity, Parity)
    assert "TensorRT" in row.measurement.reason


@pytest.mark.usefixtures("said_to_be_there")
@pytest.mark.parametrize("found", [[HOST], [CUDA, HOST]])
def test_a_fallback_is_found_on_every_machine(
    row_of: Callable[[str], Result], monkeypatch: pytest.MonkeyPatch, found: list[str]
) -> None:
    create = ort.InferenceSession

    def fall_back(path: Path, options: object, providers: object, **more: object) -> object:
        assert more == {"enable_fallback": 0} and providers
        session = create(path, options, [HOST])
        monkeypatch.setattr(session, "get_providers", lambda: found)
        return session

    monkeypatch.setattr(ort, "InferenceSession", fall_back)
    row = row_of("ort-trt")
    asked = f"{PROVIDER}, {CUDA}, {HOST}"
    told = f"INVALID: providers: asked for {asked}, found {', '.join(found)}"
    assert row.measurement == row.parity == Skipped(told)


@pytest.mark.usefixtures("said_to_be_there")
def test_tf32_is_refused_in_a_process_that_was_kept_from_it(
    row_of: Callable[[str], Result],
) -> None:
    row = row_of("ort-trt:precision=tf32")
    told = f"INVALID: {gpu.OVERRIDE}: asked for unset, found 0"
    assert row.measurement == row.parity == Skipped(told)


def test_an_engine_is_float32_and_built_anew(case_of: Callable[..., Case]) -> None:
    options = ort_trt.engine_options(case_of("ort-trt:cuda_graph=on"))
    assert options.pop("trt_cuda_graph_enable") == "True"
    assert options and set(options.values()) == {"False"}


def test_what_is_missing_is_said_in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ort, "get_available_providers", lambda: [CUDA, HOST])
    reason = OrtTrt().missing()
    assert reason is not None and reason.startswith(
        f"onnxruntime {ort.__version__} has no {PROVIDER}"
    )
    monkeypatch.setattr(ort, "get_available_providers", lambda: [PROVIDER, CUDA, HOST])
    monkeypatch.setattr(gpu, "why_no_gpu", lambda: "install one")
    assert OrtTrt().missing() == "install one"
    monkeypatch.setattr(gpu, "why_no_gpu", lambda: None)
    monkeypatch.setattr(ort_trt, "LIBRARY", "libnvinfer.so.no")

    load = importlib.import_module

    def fail(name: str) -> ModuleType:
        if name == "tensorrt":
            raise RuntimeError("whatever a package raises")
        return load(name)

    monkeypatch.setattr(importlib, "import_module", fail)
    reason = OrtTrt().missing()
    assert reason is not None and reason.endswith("pip install 'tensorrt-cu13<11'")
    assert "\n" not in reason
    monkeypatch.setattr(ort_trt, "LIBRARY", None)  # the process itself: it can be loaded
    assert OrtTrt().missing() is None


def run(row_of: Callable[[str], Result], spec: str) -> Result:
    reason = OrtTrt().missing()
    if reason is not None:
        pytest.skip(reason)
    return row_of(spec)


@pytest.mark.gpu
@pytest.mark.parametrize("options", ["", ":cuda_graph=on"])
def test_float32_has_a_speed_by_every_clock(row_of: Callable[[str], Result], options: str) -> None:
    row = run(row_of, f"ort-trt{options}")
    assert not isinstance(row.measurement, Skipped), row.measurement
    assert not isinstance(row.device, Skipped), row.device
    assert row.proof and not row.broken
