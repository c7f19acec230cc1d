"""``torch.compile`` on a GPU: how it is asked, and what it lacks."""

import shutil
from collections.abc import Callable
from typing import Any

import pytest
import torch

from bench import gpu, judge
from bench.backend import Case
from bench.backends import torch_cuda_compile
from bench.backends.torch_cuda_compile import MODES, TorchCudaCompile
from bench.records import Result, Skipped

# Inductor's own imports warn.
pytestmark = pytest.mark.filterwarnings("ignore:.*torch.jit.script_method.*:DeprecationWarning")


@pytest.mark.parametrize("mode", MODES)
def test_the_mode_is_pytorchs_and_shapes_are_static(
    host_gpu: Any,
    case_of: Callable[..., Case],
    monkeypatch: pytest.MonkeyPatch,
    mode: str,
) -> None:
    asked: list[dict[str, object]] = []
    log: list[str] = []

    def compile_nothing(function: Any, **options: object) -> Any:
        asked.append(options)
        return function

    monkeypatch.setattr(torch, "compile", compile_nothing)
    monkeypatch.setattr(torch.compiler, "reset", lambda: log.append("reset"))
    monkeypatch.setattr(torch.compiler, "cudagraph_mark_step_begin", lambda: log.append("step"))
    chosen = case_of(f"torch-cuda-compile:mode={mode}")
    session = TorchCudaCompile().prepare(chosen)
    session.run()
    session.wait()
    assert asked == [{"dynamic": False, "fullgraph": True, "mode": mode}]
    assert log == ["reset"] + ["step"] * (2 if mode == "reduce-overhead" else 0)
    assert session.settings()["mode"] == mode
    assert all(claim.holds for claim in session.proof())
    expected = judge.reference(chosen.trained, chosen.request, chosen.inputs)
    assert judge.compare(expected, session.outputs(), 100.0).passed
    session.close()
    assert log[-1] == "reset", "what was compiled holds memory"
    assert host_gpu.released == 1


def test_what_is_missing_is_said_in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gpu, "why_no_gpu", lambda: "install one")
    assert TorchCudaCompile().missing() == "install one"
    monkeypatch.setattr(gpu, "why_no_gpu", lambda: None)
    monkeypatch.setattr(torch_cuda_compile, "why_missing", lambda *told: ": ".join(told))
    assert TorchCudaCompile().missing() == "triton: pip install triton"
    monkeypatch.setattr(torch_cuda_compile, "why_missing", lambda *_: None)
    monkeypatch.delenv("CC", raising=False)
    monkeypatch.setattr(shutil, "which", lambda _: None)
    reason = TorchCudaCompile().missing()
    assert reason is not None and "install gcc" in reason and "\n" not in reason
    monkeypatch.setenv("CC", "mine")
    monkeypatch.setattr(shutil, "which", lambda name: name if name == "mine" else None)
    assert TorchCudaCompile().missing() is None


@pytest.mark.gpu
@pytest.mark.parametrize("mode", MODES)
def test_float32_has_a_speed_by_every_clock(row_of: Callable[[str], Result], mode: str) -> None:
    reason = TorchCudaCompile().missing()
    if reason is not None:
        pytest.skip(reason)
    row = row_of(f"torch-cuda-compile:mode={mode}")
    assert not isinstance(row.measurement, Skipped), row.measurement
    assert not isinstance(row.device, Skipped), row.device
    assert row.proof and not row.broken
