"""What each layer of a file adds to its error, and that a wrong layer stands out."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import onnx_ir as ir
import pytest
import soundfile
from onnx import numpy_helper

from bench import record_json
from bench.hole import Skipped
from bench.parity.cases import every_size
from bench.parity.layers import SAME, layer_noise
from bench.parity.report import ParityReport
from bench.parity.run import Order, of_file, report
from bench.render.formats import markdown_page
from bench.render.views.parity import document
from export.artifact import Artifact
from export.cache import cached_export
from export.precision.calibration import Calibration, calibration_of
from export.precision.held import held
from export.precision.plan import PrecisionPlan
from export.request import ExportRequest
from hifigan_ref import audio
from hifigan_ref.rate import CLIP_RATE
from hifigan_ref.source import Source
from hifigan_ref.variant import Variant

P2 = Variant("mpd", "2")
ORDINARY = 8192
INNER = tuple(f"convs.{i}" for i in range(1, 5))


def exported(plan: PrecisionPlan, opset: int = 22) -> Artifact:
    request = ExportRequest(P2, opset, precision=plan)
    return cached_export(request, Source().identity, Source().build)


@pytest.fixture(scope="module")
def int8() -> Artifact:
    return exported(PrecisionPlan("int8"))


@pytest.fixture(scope="module")
def judged(int8: Artifact) -> ParityReport:
    return of_file(int8.path, Order(Source(), audio.speech(), {"samples": (ORDINARY,)}))


def test_every_layer_that_lost_precision_is_there_in_order(
    int8: Artifact, judged: ParityReport
) -> None:
    assert isinstance(judged.layers, tuple)
    lesser = [name for name, each in held(ir.load(int8.path)).items() if each == "int8"]
    assert len(lesser) > 1 and set(lesser) <= set(INNER)
    assert [each.name for each in judged.layers] == lesser
    assert {each.precision for each in judged.layers} == {"int8"}
    assert sum(each.share for each in judged.layers) == pytest.approx(1.0)


def test_the_parts_make_the_whole(judged: ParityReport) -> None:
    """Together they disturb the worst output as much as the file does."""
    assert isinstance(judged.layers, tuple)
    parts = sum(each.noise for each in judged.layers if each.output == judged.layers[-1].output)
    worst = min(case.parity.snr_db for each in judged.cases for case in _outputs(each))
    assert max(each.snr_db for each in judged.layers) > worst
    assert parts > 0


def _outputs(case: object) -> tuple:  # type: ignore[type-arg]
    found = case.outputs  # type: ignore[attr-defined]
    assert isinstance(found, tuple)
    return found


def test_a_file_keeps_its_own_budget(judged: ParityReport) -> None:
    assert (judged.budget_db, judged.precision, judged.passed) == (20.0, "int8", True)
    worst = judged.outputs[-1].found.parity
    assert 20 < worst.torch_snr_db < 45, "PyTorch's own error in int8 stands beside it"


def test_a_wrongly_scaled_layer_fails(int8: Artifact) -> None:
    proto = onnx.load(int8.path)
    scale = next(each for each in proto.graph.initializer if each.name == "convs.3.weight_scale")
    scale.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(scale) * 1.5, scale.name))
    order = Order(Source(), audio.speech(), {"samples": (ORDINARY,)})
    found = report(int8, proto.SerializeToString(), Source().build(P2), order)
    assert not found.passed
    assert found.failures[0] == "fmap_3", "the first layer that leaves the budget"


def test_float32_has_no_such_table() -> None:
    file = exported(PrecisionPlan(), 18)
    assert layer_noise(file, Source(), audio.speech()) == SAME


def test_other_calibration_audio_is_not_in_the_file(int8: Artifact) -> None:
    other = replace(int8.manifest.precision, calibration=Calibration(("a.wav",), "0" * 64))
    file = replace(int8, manifest=replace(int8.manifest, precision=other))
    found = layer_noise(file, Source(), audio.speech())
    assert isinstance(found, Skipped) and "a.wav, which the file does not hold" in found.reason


def test_lesser_files_are_judged_at_ordinary_lengths(int8: Artifact) -> None:
    exact = exported(PrecisionPlan(), 18)
    assert min(each["samples"] for each in every_size(exact, {})) < ORDINARY / 8
    assert {each["samples"] for each in every_size(int8, {})} == {ORDINARY, ORDINARY + 1}


def test_views_tell_what_each_layer_adds(judged: ParityReport) -> None:
    text = markdown_page.dump(document((judged,))).decode()
    assert "layers, each alone in its precision" in text and "share of the noise" in text
    assert "in int8" in text and "torch dB: PyTorch in that precision" in text
    (again,) = record_json.parities_of(record_json.dump((judged,)))
    assert again.layers == judged.layers


def test_audio_that_a_file_of_fp16_was_made_with_is_not_needed_again(tmp_path: Path) -> None:
    heard = tmp_path / "a.wav"  # the file tells its name without the folder
    samples = 0.1 * np.random.default_rng(0).standard_normal(50_000)
    soundfile.write(heard, samples, CLIP_RATE, subtype="FLOAT")
    file = exported(PrecisionPlan("fp16", calibration=calibration_of((heard,))))
    judged = of_file(file.path, Order(Source(), audio.speech(), {"samples": (ORDINARY,)}))
    assert isinstance(judged.layers, tuple) and judged.passed
