"""Graphs of half the bits run with the error that PyTorch makes in that precision."""

import copy

import numpy as np
import onnxruntime as ort
import pytest
import torch
from numpy.typing import NDArray
from precise import checked, precise
from torch import nn

from export.interface import interface
from export.precision.emulate import emulate, is_narrow
from export.precision.held import held
from export.precision.plan import PrecisionPlan
from export.request import ExportRequest
from export.to_onnx import to_onnx
from export.verify import run_torch, snr_db
from hifigan_ref import audio
from hifigan_ref.variant import Variant

P11 = Variant("mpd", "11")
HALVES = {"fp16": torch.float16, "bf16": torch.bfloat16}
WAVE = {"y": audio.speech().loudest_first().batch(1, 1024)}

Arrays = dict[str, NDArray[np.floating]]


def request(precision: str, **settings: str) -> ExportRequest:
    """Every layer in it, whatever the error."""
    plan = PrecisionPlan(precision, **settings)  # type: ignore[arg-type]
    return ExportRequest(P11, 22, precision=plan, min_snr_db=10.0)


def in_float64(network: nn.Module) -> Arrays:
    function = interface(copy.deepcopy(network).double(), ExportRequest(P11))
    return dict(run_torch(function, {"y": WAVE["y"].astype(np.float64)}))


def in_torch(network: nn.Module, kind: torch.dtype) -> Arrays:
    function = interface(copy.deepcopy(network).to(kind), ExportRequest(P11))
    with torch.inference_mode():
        outputs = function(y=torch.from_numpy(WAVE["y"]).to(kind))
    return {name: tensor.float().numpy() for name, tensor in outputs.items()}


def in_onnxruntime(content: bytes) -> Arrays:
    session = ort.InferenceSession(content, providers=["CPUExecutionProvider"])
    names = [value.name for value in session.get_outputs()]
    return dict(zip(names, session.run(None, WAVE), strict=True))


@pytest.mark.parametrize("precision", HALVES)
@pytest.mark.parametrize("io", ["float32", "same"])
def test_the_error_is_that_of_pytorch_in_the_same_precision(
    p11: nn.Module, precision: str, io: str
) -> None:
    exact, torch_own = in_float64(p11), in_torch(p11, HALVES[precision])
    found = in_onnxruntime(checked(emulate(precise(p11, request(precision, io=io)))))
    assert list(found) == list(exact)
    for name, reference in exact.items():
        own = snr_db(reference, torch_own[name])
        assert 30 < own < 75
        assert abs(snr_db(reference, found[name]) - own) < 1, name


def test_every_node_is_one_that_onnxruntime_has_on_a_cpu(p11: nn.Module) -> None:
    narrow = precise(p11, request("bf16"))
    made = emulate(narrow)
    assert is_narrow(narrow) and set(held(narrow).values()) == {"bf16"}
    assert set(held(made).values()) == {"fp32"}
    halves = {v.dtype for node in made.graph if node.op_type != "Cast" for v in node.outputs}
    assert all(dtype is not None and dtype.name in ("FLOAT", "INT64") for dtype in halves)


def test_a_graph_in_float32_is_not_narrow_and_stays_what_it_was(p11: nn.Module) -> None:
    model = to_onnx(p11, ExportRequest(P11))
    assert not is_narrow(model)
    before, after = in_onnxruntime(checked(model)), in_onnxruntime(checked(emulate(model)))
    assert all(np.array_equal(before[name], after[name]) for name in before)


def test_one_narrow_layer_costs_less_than_all_of_them(p11: nn.Module) -> None:
    exact = in_float64(p11)
    plan = PrecisionPlan("fp32", {"mpd_11.convs.2": "bf16"})
    one = precise(p11, ExportRequest(P11, 22, precision=plan))
    assert is_narrow(one)
    found = in_onnxruntime(checked(emulate(one)))
    assert snr_db(exact["fmap_1"], found["fmap_1"]) > 100
    everywhere = in_onnxruntime(checked(emulate(precise(p11, request("bf16")))))
    for name in ("fmap_2", "fmap_3", "fmap_4", "score"):
        assert 40 < snr_db(exact[name], found[name]) < 100
        assert snr_db(exact[name], found[name]) > snr_db(exact[name], everywhere[name]) + 2
