"""Which layers stay in float32 for a budget, and what speech decides it."""

import copy
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx_ir as ir
import pytest
import soundfile

from export.fold import fold
from export.precision import keep as keeping
from export.precision.budget import NotExactError
from export.precision.calibration import (
    CLIP,
    GAINS_DB,
    SEGMENT,
    Calibration,
    at_gains,
    calibration_of,
    recordings,
)
from export.precision.judges import MOST, OVERLAP, QUIETER_DB, loudness, stretches
from export.precision.keep import MANY, fewer, keep
from export.precision.layers import Layers, resolve
from export.precision.material import Material, prepare, suiting, write
from export.precision.noise import DEVIATIONS, Meter, Noise, likely_db, worst_db
from export.precision.plan import PrecisionPlan
from export.request import ExportRequest
from export.to_onnx import to_onnx
from hifigan_ref import audio
from hifigan_ref.rate import CLIP_RATE
from hifigan_ref.source import Source
from hifigan_ref.variant import Variant

MEMBERS = ("mpd-2", "mpd-3", "mpd-5", "mpd-7", "mpd-11", "msd-0", "msd-1", "msd-2")
INT8 = PrecisionPlan("int8")


def graph(name: str, **sizes: int) -> ir.Model:
    variant = Variant.parse(name)
    module = copy.deepcopy(Source().build(variant).module)
    fold(module)
    return to_onnx(module, ExportRequest(variant, sizes=sizes))


def material_of(name: str) -> tuple[Material, Layers]:
    model = graph(name)
    asked = resolve(model, INT8, Variant.parse(name))
    return prepare(model, asked, INT8, suiting({})), asked


def recorded(folder: Path, samples: np.ndarray) -> Calibration:
    soundfile.write(folder / "a.wav", samples, CLIP_RATE, subtype="FLOAT")
    return calibration_of((folder / "a.wav",))


@pytest.mark.parametrize("name", MEMBERS)
def test_speech_that_decided_nothing_stays_within_the_budget(name: str) -> None:
    material, asked = material_of(name)
    kept = keep(material, asked, 20.0)
    assert "int8" in kept.values() and kept.keys() == asked.keys()
    speech = audio.speech().loudest_first().loaded().samples
    cut = [
        speech[start : start + SEGMENT].reshape(1, -1)
        for start in range(0, speech.size - SEGMENT, SEGMENT // 2)
    ]
    noise = Meter(material.graph, at_gains(cut)).noise(write(material, kept))
    assert worst_db(noise) >= 20.0


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
        return {name: {("score", 0, 0): 1e-9} for name in less}

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
    parts = {name: {("score", 0, 0): 10 ** (-1.996)} for name in asked}
    monkeypatch.setattr(keeping, "contributions", lambda *_: parts)
    monkeypatch.setattr(Meter, "noise", lambda *_: {("score", 0, 0): 0.1})
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
    levels = [level[:5] for level in stretches(material.graph, CLIP)]
    apart = Meter(material.graph, levels).noise(write(material, asked))
    fixed = replace(material, graph=graph("mpd-2", batch=3))
    together = Meter(fixed.graph, levels).noise(write(fixed, asked))
    assert together == pytest.approx(apart, rel=1e-3)
    assert len(set(apart.values())) > len(apart) / 2, "they differ"


@pytest.mark.parametrize("batch", [1, 16])
def test_the_same_layers_are_int8_whatever_the_batch(batch: int) -> None:
    """msd-1 had six layers in int8 at batch 1, and one at batch 16."""
    made = []
    for model in (graph("msd-1"), graph("msd-1", batch=batch, samples=SEGMENT)):
        asked = resolve(model, INT8, Variant.parse("msd-1"))
        made.append(prepare(model, asked, INT8, suiting({})))
    assert made[0].ranges.keys() == made[1].ranges.keys()
    for name, one in made[0].ranges.items():
        other = made[1].ranges[name]
        assert (one.low, one.high) == pytest.approx((other.low, other.high), rel=1e-4)
        assert made[0].held[name].shape == made[1].held[name].shape


def test_of_the_clip_the_half_that_judges_nothing_else() -> None:
    found = stretches(graph("mpd-2"), CLIP)[GAINS_DB.index(0)]
    calibrating = audio.calibration_speech().loaded().samples
    starts = range(0, calibrating.size - SEGMENT + 1, SEGMENT // OVERLAP)
    cut = {calibrating[start : start + SEGMENT].tobytes() for start in starts}
    assert len(found) == MOST
    assert all(each.shape == (1, SEGMENT) and each.tobytes() in cut for each in found)


def test_the_levels_that_judged_are_told() -> None:
    levels = np.concatenate(stretches(graph("mpd-2"), CLIP)).astype(np.float64)
    dbfs = 10 * np.log10(np.square(levels).mean(axis=(1, 2)))
    found = loudness(CLIP)
    assert 0 <= found.low - dbfs.min() < 1 and 0 <= dbfs.max() - found.high < 1
    assert found.high - found.low > GAINS_DB[0] - GAINS_DB[-1]
    assert str(found) == f"{found.low} to {found.high} dBFS"


def test_quiet_stretches_judge_nothing(tmp_path: Path) -> None:
    noise = 0.1 * np.random.default_rng(0).standard_normal(8 * SEGMENT).astype(np.float32)
    noise[4 * SEGMENT :] *= 10 ** (-3 * QUIETER_DB / 20)
    calibration = recorded(tmp_path, noise)
    (heard,) = recordings(calibration)
    found = stretches(graph("mpd-2"), calibration)[GAINS_DB.index(0)]
    assert len(found) == MOST
    assert all(np.square(each).mean() > np.square(heard.samples).mean() / 4 for each in found)


@pytest.mark.parametrize(
    "sizes", [{"batch": 1}, {"batch": 3, "samples": 4000}, {"batch": 2, "samples": 250_000}]
)
def test_stretches_have_the_shape_of_the_graph(sizes: dict[str, int]) -> None:
    levels = stretches(graph("mpd-2", **sizes), CLIP)
    for found in levels:
        assert len(found) and found.shape[1:] == (1, sizes.get("samples", SEGMENT))
        assert found.dtype == np.float32 and found.any(axis=(1, 2)).all()


def test_what_waves_say_of_others() -> None:
    """Of the output that is worst so: the mean less some deviations, or what was seen if lower."""
    even: Noise = {("a", 0, 0): 1e-3, ("a", 0, 1): 1e-3, ("b", 0, 0): 1e-4, ("b", 0, 1): 1e-4}
    assert likely_db(even) == pytest.approx(30.0)
    spread = {("a", 0, 0): 1e-3, ("a", 0, 1): 1e-3, ("b", 0, 0): 1e-3, ("b", 0, 1): 1e-5}
    assert likely_db(spread) == pytest.approx(40.0 - DEVIATIONS * 10.0)
    outlier = {("a", 0, wave): 1e-5 for wave in range(99)} | {("a", 0, 99): 1.0}
    assert likely_db(outlier) == pytest.approx(0.0)


def test_levels_are_judged_each_for_itself() -> None:
    """That a quiet stretch is less exact than a loud one is no chance."""
    levels: Noise = {("a", 0, 0): 1e-4, ("a", 0, 1): 1e-4, ("a", 1, 0): 1e-2, ("a", 1, 1): 1e-2}
    assert likely_db(levels) == pytest.approx(20.0)


def test_a_deep_network_is_predicted_on_fewer_stretches() -> None:
    levels = [np.zeros((10, 1, 8), np.float32)] * 4
    assert [len(each) for each in fewer(levels, MANY)] == [10] * 4
    assert [len(each) for each in fewer(levels, 2 * MANY)] == [5] * 4
    assert [len(each) for each in fewer(levels, 78)] == [4] * 4, "never less than three"
    assert [len(each) for each in fewer([np.zeros((2, 1, 8), np.float32)], 78)] == [2]
