"""Which layers stay in float32 for a budget, and what speech decides it."""

import copy
from pathlib import Path

import numpy as np
import onnx_ir as ir
import pytest
import soundfile

from export.fold import fold
from export.precision import keep as keeping
from export.precision.calibration import CLIP, SEGMENT, Calibration, calibration_of
from export.precision.judges import MOST, OVERLAP, QUIETER_DB, stretches
from export.precision.keep import keep
from export.precision.layers import Layers, resolve
from export.precision.material import Material, prepare, suiting, write
from export.precision.noise import DEVIATIONS, Meter, Noise, by_member, likely_db, worst_db
from export.precision.plan import PrecisionPlan
from export.request import ExportRequest
from export.to_onnx import to_onnx
from export.verify import NotExactError
from hifigan_ref import audio
from hifigan_ref.source import Source
from hifigan_ref.variant import Variant

MEMBERS = ("mpd-2", "mpd-3", "mpd-5", "mpd-7", "mpd-11", "msd-0", "msd-1", "msd-2")
INT8 = PrecisionPlan("int8")


def graph(name: str, batch: int | None = None, samples: int | None = None) -> ir.Model:
    variant = Variant.parse(name)
    module = copy.deepcopy(Source().build(variant).module)
    fold(module)
    return to_onnx(module, ExportRequest(variant, batch=batch, samples=samples))


def material_of(name: str) -> tuple[Material, Layers]:
    model = graph(name)
    asked = resolve(model, INT8, Variant.parse(name))
    return prepare(model, asked, INT8, suiting({})), asked


def recorded(folder: Path, samples: np.ndarray) -> Calibration:
    soundfile.write(folder / "a.wav", samples, audio.CLIP_RATE, subtype="FLOAT")
    return calibration_of((folder / "a.wav",))


@pytest.mark.parametrize("name", MEMBERS)
def test_speech_that_decided_nothing_stays_within_the_budget(name: str) -> None:
    material, asked = material_of(name)
    kept = keep(material, asked, 20.0)
    assert "int8" in kept.values() and kept.keys() == asked.keys()
    speech = audio.speech().loudest_first().samples
    waves = tuple(
        speech[start : start + SEGMENT].reshape(1, 1, -1)
        for start in range(0, speech.size - SEGMENT, SEGMENT // 2)
    )
    assert worst_db(Meter(material.graph, waves).noise(write(material, kept))) >= 20.0


def test_layers_that_do_most_work_stay_less() -> None:
    material, asked = material_of("mpd-11")
    assert [name for name, held in keep(material, asked, 20.0).items() if held == "int8"] == [
        "convs.4"
    ]
    assert keep(material, asked, 5.0) == asked


def test_a_prediction_that_does_not_hold_is_not_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each layer alone says that all may be less, together they may not."""
    material, asked = material_of("mpd-11")

    def alone(_: Meter, __: Material, layers: Layers) -> dict[str, Noise]:
        less = [name for name, held in layers.items() if held != "fp32"]
        return {name: {("score", 0): 1e-9} for name in less}

    monkeypatch.setattr(keeping, "contributions", alone)
    kept = keep(material, asked, 20.0)
    assert kept != asked
    waves = stretches(material.graph, CLIP)
    assert likely_db(Meter(material.graph, waves).noise(write(material, kept))) >= 20.0


def test_a_budget_that_leaves_nothing_says_what_one_layer_reaches() -> None:
    material, asked = material_of("mpd-11")
    with pytest.raises(NotExactError, match=r"60 dB leaves every layer .* reaches \d+\.\d dB"):
        keep(material, asked, 60.0)


def test_what_one_layer_reaches_is_not_rounded_up_to_the_budget(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    material, asked = material_of("mpd-11")
    parts = {name: {("score", 0): 10 ** (-1.996)} for name in asked}
    monkeypatch.setattr(keeping, "contributions", lambda *_: parts)
    monkeypatch.setattr(Meter, "noise", lambda *_: {("score", 0): 0.1})
    with pytest.raises(NotExactError, match=r"20 dB leaves every .* reaches 19\.96 dB at best"):
        keep(material, asked, 20.0)


def test_a_layer_that_is_named_stays_what_it_is_named() -> None:
    material, asked = material_of("mpd-11")
    kept = keep(material, asked, 20.0, ("convs.1",))
    assert "convs.1" not in {
        name for name, held in keep(material, asked, 20.0).items() if held == "int8"
    }
    assert kept["convs.1"] == "int8"
    assert keep(material, asked, 60.0, tuple(asked)) == asked, "nothing is left to take back"


def test_every_stretch_of_a_batch_counts_for_itself() -> None:
    material, asked = material_of("mpd-2")
    waves = stretches(material.graph, CLIP)[:4]
    less = write(material, asked)
    apart = Meter(material.graph, waves).noise(less)
    together = Meter(material.graph, (np.concatenate(waves),)).noise(less)
    assert together == pytest.approx(apart, rel=1e-3)
    assert len(set(apart.values())) > len(apart) / 2, "they differ"


def test_of_the_clip_the_half_that_judges_nothing_else() -> None:
    found = stretches(graph("mpd-2"), CLIP)
    calibrating = audio.calibration_speech().samples
    starts = range(0, calibrating.size - SEGMENT + 1, SEGMENT // OVERLAP)
    cut = {calibrating[start : start + SEGMENT].tobytes() for start in starts}
    assert 16 < len(found) <= MOST
    assert all(each.shape == (1, 1, SEGMENT) and each.tobytes() in cut for each in found)


def test_quiet_stretches_judge_nothing(tmp_path: Path) -> None:
    noise = 0.1 * np.random.default_rng(0).standard_normal(8 * SEGMENT).astype(np.float32)
    noise[4 * SEGMENT :] *= 10 ** (-3 * QUIETER_DB / 20)
    found = stretches(graph("mpd-2"), recorded(tmp_path, noise))
    assert len(found) > 3 * OVERLAP
    assert all(np.square(each).mean() > np.square(noise).mean() / 4 for each in found)


@pytest.mark.parametrize(("batch", "samples"), [(1, None), (3, 4000), (2, 250_000)])
def test_stretches_have_the_shape_of_the_graph(batch: int, samples: int | None) -> None:
    found = stretches(graph("mpd-2", batch, samples), CLIP)
    assert found and all(each.shape == (batch, 1, samples or SEGMENT) for each in found)
    assert all(each.dtype == np.float32 and each.any() for each in found)


def test_what_waves_say_of_others() -> None:
    """Of the output that is worst so: the mean less some deviations, or what was seen if lower."""
    even: Noise = {("a", 0): 1e-3, ("a", 1): 1e-3, ("b", 0): 1e-4, ("b", 1): 1e-4}
    assert likely_db(even) == pytest.approx(30.0)
    spread = {("a", 0): 1e-3, ("a", 1): 1e-3, ("b", 0): 1e-3, ("b", 1): 1e-5}
    assert likely_db(spread) == pytest.approx(40.0 - DEVIATIONS * 10.0)
    outlier = {("a", wave): 1e-5 for wave in range(99)} | {("a", 99): 1.0}
    assert likely_db(outlier) == pytest.approx(0.0)


def test_layers_are_told_apart_by_member() -> None:
    assert by_member(["mpd_2.convs.0", "mpd_11.convs.0", "mpd_2.convs.1"]) == {
        "mpd_2_": ["mpd_2.convs.0", "mpd_2.convs.1"],
        "mpd_11_": ["mpd_11.convs.0"],
    }
    assert by_member(["convs.0"]) == {"": ["convs.0"]}
