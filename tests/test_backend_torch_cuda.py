"""PyTorch eager on a GPU: on the host's memory here, and on a GPU where there is one."""

import gc
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import pytest
import torch

from bench import gpu, judge
from bench.backend import Case, find
from bench.backends import torch_cuda_session
from bench.backends.torch_cuda import TorchCuda
from bench.backends.torch_cuda_session import PASSES_BEFORE_CAPTURE, TorchCudaSession
from bench.backends.torch_session import Function, network
from bench.records import Claim, Parity, Result, Skipped
from bench.torch_numerics import numerics, told
from hifigan_ref.trained import state_digest

Sessions = Callable[..., TorchCudaSession]


@pytest.fixture
def prepare(host_gpu: Any, case_of: Callable[..., Case]) -> Iterator[Sessions]:
    """Sessions as they would be on a GPU, closed in the end."""
    del host_gpu
    made: list[TorchCudaSession] = []

    def make(options: str = "", first: int = 0) -> TorchCudaSession:
        session = TorchCuda().prepare(case_of(f"torch-cuda{options}", first=first))
        assert isinstance(session, TorchCudaSession)
        made.append(session)
        return session

    before = told()
    yield make
    for session in reversed(made):
        session.close()
    assert told() == before, "the process's arithmetic is put back"


def broken(claims: tuple[Claim, ...]) -> dict[str, str]:
    return {claim.what: claim.found for claim in claims if not claim.holds}


@pytest.mark.parametrize("options", ["", ":norms=folded"])
def test_new_inputs_give_their_outputs(
    prepare: Sessions, host_gpu: Any, case_of: Callable[..., Case], options: str
) -> None:
    session = prepare(options)
    assert session.stream == 77
    other = case_of("torch-cuda", first=20)
    session.load(other.inputs)
    session.run()
    waits = host_gpu.stream.waits
    session.wait()
    assert host_gpu.stream.waits == waits + 1
    expected = judge.reference(other.trained, other.request, other.inputs)
    outputs = session.outputs()
    assert list(outputs) == list(expected.exact)
    assert {array.dtype for array in outputs.values()} == {np.dtype(np.float32)}
    assert judge.compare(expected, outputs, 100.0).passed
    assert state_digest(other.trained.module) == other.trained.digest


@pytest.mark.parametrize(
    ("options", "told_then"),
    [
        ("", {"tf32": "off", "cudnn_benchmark": "on", "norms": "as-trained"}),
        (":precision=tf32", {"tf32": "on", "tf32_matrix_products": "on"}),
        (":cudnn_benchmark=off,norms=folded", {"cudnn_benchmark": "off", "norms": "folded"}),
    ],
)
def test_options_are_set_and_read_back(
    prepare: Sessions, options: str, told_then: dict[str, str]
) -> None:
    session = prepare(options)
    settings = session.settings()
    assert told_then.items() <= settings.items()
    assert (settings["threads"], settings["cuda_graph"]) == ("1", "off")
    assert broken(session.proof()) == {}


def test_each_claim_can_fail(
    prepare: Sessions, host_gpu: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = prepare(":precision=tf32")
    monkeypatch.setattr(gpu, "DEVICE", "cuda")
    assert broken(session.proof()) == {"device of the outputs": "cpu"}
    monkeypatch.setattr(gpu, "DEVICE", "cpu")
    host_gpu.held = 0
    assert broken(session.proof()) == {"device memory": "0.0 MiB"}
    host_gpu.held = 1
    monkeypatch.setenv(gpu.OVERRIDE, "0")
    assert broken(session.proof()) == {gpu.OVERRIDE: "0"}
    monkeypatch.delenv(gpu.OVERRIDE)
    with numerics(tf32=False, benchmark=False):
        assert broken(session.proof()) == {"tf32": "off", "cudnn_benchmark": "off"}
    assert broken(session.proof()) == {}


def test_a_session_that_never_ran_proves_nothing(
    host_gpu: Any, case_of: Callable[..., Case]
) -> None:
    del host_gpu
    case = case_of("torch-cuda:cudnn_benchmark=off")
    session = TorchCudaSession(lambda **_: {}, network(case, folded=False), case, {})
    found = broken(session.proof())
    assert found["device of the outputs"] == "none"
    assert found["type of what was computed"] == "nothing"


class FakeGraph:
    replays = 0

    def replay(self) -> None:
        self.replays += 1


def test_a_graph_is_captured_once_warm_and_then_replayed(
    host_gpu: Any, monkeypatch: pytest.MonkeyPatch, case_of: Callable[..., Case]
) -> None:
    log: list[str] = []
    graph = FakeGraph()

    @contextmanager
    def capture(into: FakeGraph, stream: object) -> Iterator[None]:
        assert into is graph and stream is host_gpu.stream
        log.append("begin")
        yield
        log.append("end")

    def traced(network: Function) -> Function:
        def call(**inputs: torch.Tensor) -> dict[str, torch.Tensor]:
            log.append("pass")
            return network(**inputs)

        return call

    monkeypatch.setattr(torch.cuda, "CUDAGraph", lambda: graph)
    monkeypatch.setattr(torch.cuda, "graph", capture)
    chosen = case_of("torch-cuda:cuda_graph=on")
    session = torch_cuda_session.open_session(chosen, traced, {})
    assert log == ["pass"] * (1 + PASSES_BEFORE_CAPTURE) + ["begin", "pass", "end"]
    captured = session.outputs()
    session.run()
    session.run()
    assert graph.replays == 2 and log[-1] == "end", "a replay calls nothing"
    assert session.settings()["cuda_graph"] == "on"
    assert list(session.outputs()) == list(captured)
    session.close()
    with pytest.raises(RuntimeError, match="closed"):
        session.run()


@dataclass
class OutOfMemory:
    """A network that is too large for its first pass."""

    network: Function
    kept: list[weakref.ref[torch.Tensor]]

    def __call__(self, **inputs: torch.Tensor) -> dict[str, torch.Tensor]:
        assert told()["tf32"] == "on"
        assert isinstance(self.network, torch.nn.Module)
        self.kept.extend(map(weakref.ref, (*inputs.values(), *self.network.parameters())))
        raise torch.OutOfMemoryError("CUDA out of memory")


def test_what_fails_midway_leaves_nothing_behind(
    host_gpu: Any, case_of: Callable[..., Case]
) -> None:
    before, undone = told(), []
    kept: list[weakref.ref[torch.Tensor]] = []
    chosen = case_of("torch-cuda:precision=tf32")
    with pytest.raises(torch.OutOfMemoryError) as caught:
        torch_cuda_session.open_session(
            chosen, partial(OutOfMemory, kept=kept), {}, lambda: undone.append("undone")
        )
    gc.collect()
    assert caught.tb is not None, "the traceback, and the frames in it, still live"
    assert len(kept) > 10 and all(each() is None for each in kept)
    assert told() == before
    assert (undone, host_gpu.released) == (["undone"], 1)


def test_no_gpu_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gpu, "why_no_gpu", lambda: "install one")
    assert TorchCuda().missing() == "install one"


def test_without_a_gpu_the_row_is_a_reason(row_of: Callable[[str], Result]) -> None:
    reason = TorchCuda().missing()
    if reason is None:
        pytest.skip("a GPU is there")
    assert row_of("torch-cuda").measurement == Skipped(reason)


@pytest.mark.gpu
@pytest.mark.parametrize("options", ["", ":norms=folded", ":cudnn_benchmark=off", ":cuda_graph=on"])
def test_float32_has_a_speed_by_every_clock(row_of: Callable[[str], Result], options: str) -> None:
    reason = find("torch-cuda")[0].missing()
    if reason is not None:
        pytest.skip(reason)
    row = row_of(f"torch-cuda{options}")
    assert not isinstance(row.measurement, Skipped), row.measurement
    assert not isinstance(row.device, Skipped), row.device
    assert row.proof and not row.broken


@pytest.mark.gpu
def test_tf32_is_what_ran_and_has_a_budget_of_its_own(row_of: Callable[..., Result]) -> None:
    reason = find("torch-cuda")[0].missing()
    if reason is not None:
        pytest.skip(reason)
    row = row_of("torch-cuda:precision=tf32", samples=8192)  # of a short score few roundings decide
    assert row.workload.precision == "tf32"
    assert isinstance(row.parity, Parity) and row.parity.passed and not row.broken
    if torch.cuda.get_device_capability() >= (8, 0):
        assert row.parity.worst.snr_db < 100, "float32 would be better"


@pytest.mark.parametrize(("precision", "told"), [("fp16", "float16"), ("bf16", "bfloat16")])
def test_half_the_bits_are_held_and_computed_and_float32_comes_out(
    prepare: Sessions, precision: str, told: str
) -> None:
    session = prepare(f":precision={precision}")
    session.run()
    session.wait()
    claims = {claim.what: claim for claim in session.proof()}
    assert all(claim.holds for claim in claims.values())
    assert claims["type of the weights"].found == told
    assert claims["type of what was computed"].found == told
    assert claims["tf32"].found == "off"
    assert {array.dtype for array in session.outputs().values()} == {np.dtype(np.float32)}


def test_weights_of_another_type_break_the_claim(
    host_gpu: Any, case_of: Callable[..., Case]
) -> None:
    del host_gpu
    made = network(case_of("torch-cuda:precision=bf16"), folded=True)
    made(y=torch.zeros(1, 1, 1024))
    assert broken(made.claims()) == {}
    made.function.float()
    made.dtype = torch.float32
    made(y=torch.zeros(1, 1, 1024))
    made.dtype = torch.bfloat16
    assert broken(made.claims()) == {
        "type of the weights": "float32",
        "type of what was computed": "float32",
    }
