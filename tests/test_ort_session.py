"""An onnxruntime session: what it was asked is what it tells, and its tensors stay in place."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pytest

from bench import judge
from bench.backend import Case
from bench.backends.ort_cpu import OrtCpu
from bench.backends.ort_session import HAS_STREAM, STREAM, Asked, OrtSession, open_session
from bench.proof import NotAsAskedError
from bench.records import Claim

CPU, CUDA, TRT = "CPUExecutionProvider", "CUDAExecutionProvider", "TensorrtExecutionProvider"


@dataclass
class Told:
    """A session of onnxruntime that only tells."""

    providers: tuple[str, ...]
    options: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    def get_providers(self) -> list[str]:
        return list(self.providers)

    def get_provider_options(self) -> Mapping[str, Mapping[str, str]]:
        return self.options


def broken(claims: tuple[Claim, ...]) -> dict[str, str]:
    return {claim.what: claim.found for claim in claims if not claim.holds}


# What was asked and what is told


ASKED = Asked(
    {CUDA: {"use_tf32": "0", "cudnn_conv_algo_search": "HEURISTIC", STREAM: "77"}, CPU: {}}
)
RIGHT = {"use_tf32": "0", "cudnn_conv_algo_search": "HEURISTIC", HAS_STREAM: "1", STREAM: "77"}


def test_what_was_asked_and_is_told_holds() -> None:
    assert broken(ASKED.claims(Told((CUDA, CPU), {CUDA: RIGHT, CPU: {}}))) == {}


@pytest.mark.parametrize(
    ("key", "found"),
    [("use_tf32", "1"), ("cudnn_conv_algo_search", "EXHAUSTIVE"), (HAS_STREAM, "0")],
)
def test_an_option_that_was_not_taken_is_found(key: str, found: str) -> None:
    told = Told((CUDA, CPU), {CUDA: RIGHT | {key: found}})
    assert broken(ASKED.claims(told)) == {f"{CUDA} {key}": found}


def test_an_option_that_is_not_told_is_no_proof() -> None:
    told = Told((CUDA, CPU), {CUDA: {key: RIGHT[key] for key in RIGHT if key != "use_tf32"}})
    assert broken(ASKED.claims(told)) == {f"{CUDA} use_tf32": "not told"}


@pytest.mark.parametrize("providers", [(CPU,), (CPU, CUDA), (TRT, CUDA, CPU), ()])
def test_other_providers_are_found(providers: tuple[str, ...]) -> None:
    assert broken(ASKED.claims(Told(providers, {CUDA: RIGHT}))) == {
        "providers": ", ".join(providers)
    }


def test_true_and_1_are_the_same() -> None:
    asked = Asked({TRT: {"trt_cuda_graph_enable": "True", "trt_fp16_enable": "False"}})
    found = {"trt_cuda_graph_enable": "1", "trt_fp16_enable": "0"}
    assert broken(asked.claims(Told((TRT,), {TRT: found}))) == {}
    assert broken(asked.claims(Told((TRT,), {TRT: found | {"trt_fp16_enable": "1"}})))


def test_what_no_provider_tells_stands_beside() -> None:
    beside = Claim("variable", "0", "1", holds=False)
    assert beside in Asked({CPU: {}}, (beside,)).claims(Told((CPU,)))


def test_a_fallback_is_found_before_any_tensor_is_made(
    case_of: Callable[..., Case], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*arguments: object) -> None:
        raise AssertionError(arguments)

    monkeypatch.setattr(OrtSession, "__init__", fail)
    with pytest.raises(NotAsAskedError, match="no_such_option: asked for 1, found not told"):
        open_session(case_of("ort-cpu"), replace(ASKED, options={CPU: {"no_such_option": "1"}}))


# A session on the host


def test_every_claim_of_the_host_holds(case_of: Callable[..., Case]) -> None:
    session = OrtCpu().prepare(case_of("ort-cpu"))
    assert [claim.what for claim in session.proof()] == ["providers", "node placement"]
    assert broken(session.proof()) == {}
    assert session.settings()["shapes"] == "y 2x1x1024"
    session.close()


def test_a_pass_writes_every_output(case_of: Callable[..., Case]) -> None:
    session = OrtCpu().prepare(case_of("ort-cpu"))
    for array in session.outputs().values():
        array.fill(np.nan)
    session.run()
    assert all(np.isfinite(array).all() for array in session.outputs().values())
    session.close()


# A session as on a GPU, its tensors on the host


def test_a_session_with_a_stream_waits_for_it(case_of: Callable[..., Case], host_gpu: Any) -> None:
    chosen = case_of("ort-cpu")
    asked = Asked({CPU: {}})
    session = OrtSession(open_session(chosen, asked), asked, chosen, host_gpu.stream)
    assert session.stream == 77
    assert host_gpu.stream.waits == 1, "the first pass has ended"
    other = case_of("ort-cpu", first=20)
    session.load(other.inputs)
    session.run()
    session.wait()
    assert host_gpu.stream.waits == 2
    expected = judge.reference(other.trained, other.request, other.inputs)
    assert judge.compare(expected, session.outputs(), 100.0).passed
    assert [claim.what for claim in session.proof()] == [
        "providers",
        "node placement",
        "device memory",
    ]
    assert broken(session.proof()) == {}
    session.close()
    assert host_gpu.released == 1


def test_no_memory_of_a_gpu_is_found(case_of: Callable[..., Case], host_gpu: Any) -> None:
    host_gpu.held = 0
    chosen = case_of("ort-cpu")
    asked = Asked({CPU: {}})
    session = OrtSession(open_session(chosen, asked), asked, chosen, host_gpu.stream)
    assert broken(session.proof()) == {"device memory": "0.0 MiB"}
    session.close()
