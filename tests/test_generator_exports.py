"""Generators as ONNX files: their numbers at every length and opset, and mistakes that are seen."""

import copy
from collections.abc import Callable
from functools import cache

import numpy as np
import onnx
import onnx_ir as ir
import onnxruntime as ort
import pytest
import torch

from export.contract import ContractError, check_graph
from export.fold import fold
from export.interface import function_of, interface
from export.request import OPSETS, ExportRequest
from export.to_onnx import to_onnx
from export.verify import verify
from hifigan_ref import audio
from hifigan_ref.errors import HifiError
from hifigan_ref.examples import example
from hifigan_ref.seeded import Seeded
from hifigan_ref.trained import Trained
from hifigan_ref.variant import Variant

LENGTHS = (1, 2, 3, 7, 31, 32, 33, 86)
BUDGET_DB = 100
FEW = {"generator-v3": LENGTHS, "piper-decoder-speakers": LENGTHS, "generator-v2": (1, 3)}
FEW |= {"generator-v1": (2,), "vits-decoder-speakers": (2,)}


@cache
def trained(name: str) -> Trained:
    return Seeded(0).build(Variant(name))


def graph(name: str, opset: int = 18) -> ir.Model:
    folded = copy.deepcopy(trained(name).module)
    fold(folded)
    return to_onnx(folded, ExportRequest(Variant(name), opset))


def content(model: ir.Model) -> bytes:
    found: bytes = ir.to_proto(model).SerializeToString()
    return found


def worst_db(name: str, file: bytes, lengths: tuple[int, ...], batches: tuple[int, ...]) -> float:
    """Least SNR against the network as trained in float64."""
    variant = Variant(name)
    module = copy.deepcopy(trained(name).module).double()
    session = ort.InferenceSession(file, providers=["CPUExecutionProvider"])
    found = []
    for frames in lengths:
        for batch in batches:
            sizes = {"batch": batch, "frames": frames}
            inputs = example(variant.signature.inputs, sizes, audio.clip())
            given = {key: torch.from_numpy(array).double() for key, array in inputs.items()}
            with torch.no_grad():
                exact = function_of(module, variant)(**given)["audio"].numpy()
            (made,) = session.run(None, inputs)
            assert made.shape == exact.shape == (batch, 1, variant_hop(variant) * frames)
            error = np.square(exact - made).sum()
            found.append(10 * np.log10(np.square(exact).sum() / error))
    return float(min(found))


def variant_hop(variant: Variant) -> int:
    (port,) = variant.signature.outputs
    return port.sized({"batch": 1, "frames": 1})[-1]


@pytest.mark.parametrize("name", FEW)
def test_it_has_the_numbers_of_pytorch(name: str) -> None:
    assert worst_db(name, content(graph(name)), FEW[name], (1, 3)) > BUDGET_DB


@pytest.mark.parametrize("opset", OPSETS)
def test_every_opset_has_them(opset: int) -> None:
    model = graph("piper-decoder-speakers", opset)
    check_graph(model, ExportRequest(Variant("piper-decoder-speakers"), opset))
    file = content(model)
    onnx.checker.check_model(file, full_check=True)
    assert worst_db("piper-decoder-speakers", file, (3,), (2,)) > BUDGET_DB


def changed(operator: str, attribute: ir.Attr) -> Callable[[ir.Model], None]:
    def change(model: ir.Model) -> None:
        node = [each for each in model.graph if each.op_type == operator][-1]
        node.attributes.add(attribute)

    return change


MISTAKES = {
    "the last slope": changed("LeakyRelu", ir.AttrFloat32("alpha", 0.1)),
    "the crop": changed("ConvTranspose", ir.AttrInt64s("pads", (1, 3))),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_wrong_graph_is_not_verified(mistake: str) -> None:
    name = "generator-v3"
    model = graph(name)
    request = ExportRequest(Variant(name))
    function = interface(copy.deepcopy(trained(name).module), request)
    verify(content(model), request, function)
    MISTAKES[mistake](model)
    with pytest.raises(HifiError, match="computes something else than PyTorch"):
        verify(content(model), request, function)


def test_an_output_of_another_length_breaks_the_contract() -> None:
    model = graph("generator-v3")
    request = ExportRequest(Variant("generator-v3"))
    check_graph(model, request)
    changed("ConvTranspose", ir.AttrInt64s("pads", (2, 1)))(model)
    with pytest.raises(ContractError, match=r"audio is \(1, 1, 257\) for 1 frame"):
        check_graph(model, request)


def test_fixed_frames_fix_the_audio() -> None:
    folded = copy.deepcopy(trained("generator-v3").module)
    fold(folded)
    model = to_onnx(folded, ExportRequest(Variant("generator-v3"), sizes={"frames": 32}))
    assert list(model.graph.outputs[0].shape or ()) == ["batch", 1, 8192]
    assert str(graph("generator-v3").graph.outputs[0].shape) == "[batch,1,256*frames]"
