"""onnxruntime with CUDA: its options, what it lacks, and a fallback that is no result."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import onnxruntime as ort
import pytest
import torch

from bench import gpu
from bench.backend import Case, find
from bench.backends import ort_cuda
from bench.backends.ort_cuda import HOST, PROVIDER, OrtCuda
from bench.backends.ort_session import STREAM
from bench.records import Claim, Parity, Result, Skipped
from hifigan_ref.errors import HifiError

FELL_BACK = f"INVALID: providers: asked for {PROVIDER}, {HOST}, found {HOST}"


class FakeStream:
    cuda_stream = 77


@pytest.fixture
def said_to_be_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(OrtCuda, "missing", lambda _: None)


def check_fallen_back(row: Result) -> None:
    assert row.measurement == row.parity == row.prepare_seconds == Skipped(FELL_BACK)
    assert isinstance(row.device, Skipped) and isinstance(row.end_to_end, Skipped)
    assert isinstance(row.gflop_per_second, Skipped)
    assert [claim.what for claim in row.broken] == ["providers"]


@pytest.mark.usefixtures("said_to_be_there")
@pytest.mark.skipif(torch.cuda.is_available(), reason="a GPU is there: CUDA may well start")
def test_cuda_that_falls_back_to_the_cpu_is_invalid_and_has_no_speed(
    row_of: Callable[[str], Result],
) -> None:
    """onnxruntime itself falls back: nothing is faked but the answer of ``missing``."""
    if PROVIDER not in ort.get_available_providers():
        pytest.skip(f"this onnxruntime has no {PROVIDER}: pip install onnxruntime-gpu")
    check_fallen_back(row_of("ort-cuda"))


@pytest.mark.usefixtures("said_to_be_there")
def test_a_fallback_is_found_on_every_machine(
    row_of: Callable[[str], Result], monkeypatch: pytest.MonkeyPatch
) -> None:
    create = ort.InferenceSession

    def fall_back(path: Path, options: object, providers: object, **more: object) -> object:
        assert more == {"enable_fallback": 0} and providers
        return create(path, options, [HOST])

    monkeypatch.setattr(ort, "InferenceSession", fall_back)
    check_fallen_back(row_of("ort-cuda"))


def test_a_gpu_of_onnxruntime_alone_is_refused(
    case_of: Callable[..., Case], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a stream its device time could not be taken, and host tensors would be copied."""
    monkeypatch.setattr(gpu, "why_no_gpu", lambda: "install a CUDA build of torch")
    fine = Claim("tf32", "off", "off", holds=True)
    with pytest.raises(HifiError, match="install a CUDA build of torch"):
        ort_cuda.open_on(None, {HOST: {}}, fine, case_of("ort-cuda"))


@pytest.mark.parametrize(
    ("options", "changed"),
    [
        ("", {}),
        (":precision=tf32", {"use_tf32": "1"}),
        (":precision=fp16", {"use_tf32": "1"}),
        (":fuse_conv_bias=on", {"fuse_conv_bias": "1"}),
        (":cudnn_conv_algo_search=HEURISTIC", {"cudnn_conv_algo_search": "HEURISTIC"}),
        (":prefer_nhwc=on,cuda_graph=on", {"prefer_nhwc": "1", "enable_cuda_graph": "1"}),
        (":cudnn_conv1d_pad_to_nc1d=on", {"cudnn_conv1d_pad_to_nc1d": "1"}),
    ],
)
def test_options_reach_the_provider(
    case_of: Callable[..., Case], options: str, changed: dict[str, str]
) -> None:
    stream: Any = FakeStream()
    defaults = {
        "use_tf32": "0",
        "cudnn_conv_algo_search": "EXHAUSTIVE",
        "fuse_conv_bias": "0",
        "prefer_nhwc": "0",
        "enable_cuda_graph": "0",
        "cudnn_conv1d_pad_to_nc1d": "0",
        STREAM: "77",
    }
    found = ort_cuda.provider_options(case_of(f"ort-cuda{options}"), stream)
    assert found == defaults | changed


def test_why_there_is_no_bf16_is_told_to_who_asks_for_it() -> None:
    with pytest.raises(HifiError, match="fp16, .*no bf16: CUDA lacks its LeakyRelu and Pad"):
        find("ort-cuda:precision=bf16")


def test_a_build_without_the_provider_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ort, "get_available_providers", lambda: [HOST])
    reason = OrtCuda().missing()
    assert reason is not None and PROVIDER in reason
    assert reason.endswith("pip install onnxruntime-gpu") and "\n" not in reason


def test_no_gpu_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ort, "get_available_providers", lambda: [PROVIDER, HOST])
    monkeypatch.setattr(gpu, "why_no_gpu", lambda: "install one")
    assert OrtCuda().missing() == "install one"


def run(row_of: Callable[[str], Result], spec: str) -> Result:
    reason = OrtCuda().missing()
    if reason is not None:
        pytest.skip(reason)
    return row_of(spec)


@pytest.mark.gpu
@pytest.mark.parametrize(
    "options",
    [
        "",
        ":cudnn_conv_algo_search=HEURISTIC",
        ":cudnn_conv_algo_search=DEFAULT",
        ":prefer_nhwc=on",
        ":cuda_graph=on",
        ":cudnn_conv1d_pad_to_nc1d=on",
    ],
)
def test_float32_has_a_speed_by_every_clock(row_of: Callable[[str], Result], options: str) -> None:
    row = run(row_of, f"ort-cuda{options}")
    assert not isinstance(row.measurement, Skipped), row.measurement
    assert not isinstance(row.device, Skipped), row.device
    assert row.proof and not row.broken


@pytest.mark.gpu
def test_tf32_is_what_ran_and_has_a_budget_of_its_own(row_of: Callable[..., Result]) -> None:
    row = run(partial(row_of, samples=8192), "ort-cuda:precision=tf32")
    assert row.workload.precision == "tf32"
    assert isinstance(row.parity, Parity) and row.parity.passed and not row.broken
    if torch.cuda.get_device_capability() >= (8, 0):
        assert row.parity.worst.snr_db < 100, "float32 would be better"
