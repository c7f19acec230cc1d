"""A network of log-mels through the export: what its ranges and its budget are judged on."""

from pathlib import Path

import numpy as np
import onnx_ir as ir
import onnxruntime as ort
import pytest

from export.contract import check_graph
from export.lowering.lower import lower
from export.operators.table import is_weighted
from export.pipeline import export_onnx
from export.precision.calibration import CLIP, GAINS_DB, segments
from export.precision.feeds import feed, length_of
from export.precision.judges import stretches
from export.precision.narrow import narrow
from export.precision.plan import PrecisionPlan
from export.precision.samples import fitting, values
from export.request import ExportRequest
from export.spectrograms import KEY, recipe_of
from export.to_onnx import to_onnx
from hifigan_ref import audio
from hifigan_ref.errors import HifiError
from hifigan_ref.log_mel import log_mel
from hifigan_ref.mel import Mel
from hifigan_ref.source import Source
from hifigan_ref.trained import Trained
from vocoder import vocoder


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    return Source().build(vocoder(tmp_path_factory.mktemp("nets")))


@pytest.fixture(scope="module")
def graph(trained: Trained) -> ir.Model:
    return to_onnx(trained.module, ExportRequest(trained.variant))


def test_the_graph_says_of_which_recipe_its_input_is(graph: ir.Model, trained: Trained) -> None:
    check_graph(graph, ExportRequest(trained.variant))
    again = ir.from_proto(ir.to_proto(graph))
    halves = {n.name or "": "fp16" for n in graph.graph if is_weighted(n)}
    narrower = narrow(graph, halves, ir.DataType.FLOAT16)  # type: ignore[arg-type]
    for model in (graph, again, graph.clone(), lower(graph, {}), narrower):
        assert recipe_of(model.graph.inputs[0]) == Mel()
    again.graph.inputs[0].metadata_props[KEY] = '{"bins": 3, "no": 1}'
    with pytest.raises(HifiError, match="no recipe: export again"):
        recipe_of(again.graph.inputs[0])
    again.graph.inputs[0].metadata_props.clear()
    with pytest.raises(HifiError):
        check_graph(again, ExportRequest(trained.variant))


@pytest.mark.parametrize("opset", [11, 26])
def test_every_opset_keeps_it_in_the_file(trained: Trained, tmp_path: Path, opset: int) -> None:
    path = tmp_path / "v.onnx"
    made = export_onnx(ExportRequest(trained.variant, opset), trained, path)
    assert recipe_of(ir.load(path).graph.inputs[0]) == Mel()
    assert made.verification.snr_db > 100
    session = ort.InferenceSession(path, providers=["CPUExecutionProvider"])
    (heard,) = session.run(None, {"mel": np.zeros((1, 80, 3), np.float32)})
    assert heard.shape == (1, 1, 768)


def test_calibration_hears_mels_of_its_audio_at_every_level(graph: ir.Model) -> None:
    level = fitting(graph, CLIP)
    assert np.array_equal(level, np.concatenate(segments(CLIP)))
    assert len(level) % len(GAINS_DB) == 0
    heard = np.concatenate([held["mel"] for held in values(graph, ["mel"], level)])
    assert np.array_equal(heard, log_mel(Mel(), level[:, 0]).astype(np.float32))
    assert len({item.tobytes() for item in heard}) == len(level)


def test_judges_are_mels_too_and_their_gains_are_in_them(graph: ir.Model) -> None:
    usual = stretches(graph, CLIP)[: len(GAINS_DB)]
    mels = [feed(graph, level)["mel"] for level in usual]
    assert {mel.shape[1:] for mel in mels} == {(80, 32)}
    high = mels[-1] > -3
    gained = (GAINS_DB[1] - GAINS_DB[-1]) / 20 * np.log(10)
    np.testing.assert_allclose((mels[1] - mels[-1])[high], gained, atol=2e-3)


@pytest.mark.parametrize("frames", [1, 7, 40])
def test_a_fixed_number_of_frames(trained: Trained, frames: int) -> None:
    model = to_onnx(trained.module, ExportRequest(trained.variant, sizes={"frames": frames}))
    assert length_of(model) == 256 * frames
    assert feed(model, audio.speech().batch(2, 8192))["mel"].shape == (2, 80, frames)
    assert {level.shape[2] for level in stretches(model, CLIP)} == {256 * frames}


def test_what_is_no_audio_is_as_long_as_the_mels(tmp_path: Path) -> None:
    speaking = Source().build(vocoder(tmp_path, "Speaker"))
    model = to_onnx(speaking.module, ExportRequest(speaking.variant))
    found = feed(model, audio.speech().batch(3, 8192))
    assert found["mel"].shape == (3, 80, 32) and found["g"].shape == (3, 4, 1)
    assert found["f0"].shape == (3, 1, 32), "a single channel over frames is no audio"
    for array in found.values():
        assert len({item.tobytes() for item in array}) == 3


@pytest.mark.parametrize(("precision", "least"), [("fp16", 50.0), ("bf16", 38.0), ("int8", 20.0)])
def test_few_bits_keep_their_budget_on_held_out_mels(
    trained: Trained, tmp_path: Path, precision: str, least: float
) -> None:
    plan = PrecisionPlan(precision)  # type: ignore[arg-type]
    request = ExportRequest(trained.variant, 22, precision=plan)
    made = export_onnx(request, trained, tmp_path / "v.onnx")
    assert made.verification.snr_db >= least
    assert recipe_of(ir.load(tmp_path / "v.onnx").graph.inputs[0]) == Mel()
