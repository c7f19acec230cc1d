"""How far audio is from what PyTorch computes in float64, as a vocoder's training would hear it."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile

import cli
from bench.judge import Reference, compare
from fakes import run_main
from hifigan_ref import audio
from hifigan_ref.log_mel import distance, log_mel
from hifigan_ref.mel import Mel
from hifigan_ref.variant import Variant
from hifigan_ref.views import seen
from vocoder import vocoder

WAVE = audio.speech().batch(2, 8192, 2).astype(np.float64) / np.pi  # in more bits than float32


def test_the_distance_is_the_mean_of_the_logarithms_differences() -> None:
    other = WAVE * 1.1
    expected = np.abs(log_mel(Mel(), WAVE) - log_mel(Mel(), other)).mean()
    assert distance(Mel(), WAVE, other) == pytest.approx(expected)
    assert distance(Mel(), WAVE, WAVE) == 0
    assert 0 < distance(Mel(), WAVE, WAVE.astype(np.float32)) < 1e-5
    noisy = WAVE + 1e-3 * np.random.default_rng(0).standard_normal(WAVE.shape)
    assert distance(Mel(), WAVE, noisy) > 0.1, "speech is quiet between its harmonics"


@pytest.mark.parametrize("samples", [1, 100, 255, 256, 300])
def test_however_short_it_is(samples: int) -> None:
    short = WAVE[..., :samples]
    assert distance(Mel(), short, short) == 0
    assert 0 < distance(Mel(), short, 2 * short + 0.1) < 20


@pytest.mark.parametrize("wrong", [np.nan, np.inf])
def test_what_is_not_finite_is_infinitely_far(wrong: float) -> None:
    broken = WAVE.copy()
    broken[0, 0, 5] = wrong
    assert distance(Mel(), WAVE, broken) == np.inf


def test_it_stands_beside_the_ratio_of_an_output_that_is_audio() -> None:
    single, half = WAVE.astype(np.float32), WAVE.astype(np.float16)
    expected = Reference({"audio": WAVE, "other": WAVE}, {"audio": single[:1], "other": single})
    found = compare(expected, {"audio": half, "other": half}, 40.0, {"audio": Mel()})
    sound, other = found.outputs
    assert sound.log_mel == distance(Mel(), WAVE, half)
    assert sound.torch_log_mel == distance(Mel(), WAVE[:1], single[:1])
    assert sound.log_mel > 10 * sound.torch_log_mel > 0
    assert (other.log_mel, other.torch_log_mel) == (None, None)
    short = compare(expected, {"audio": half[..., :5], "other": half}, 40.0, {"audio": Mel()})
    assert short.outputs[0].log_mel == np.inf
    missing = compare(expected, {"other": half}, 40.0, {"audio": Mel()})
    assert missing.outputs[0].log_mel == np.inf


def test_the_outputs_that_are_audio_have_the_recipe_of_the_input(tmp_path: Path) -> None:
    signature = vocoder(tmp_path).signature
    assert signature.audio == {"audio": Mel()}
    told = replace(signature.inputs[0], mel=Mel(fmax=11025.0))
    assert replace(signature, inputs=(told,)).audio == {"audio": Mel(fmax=11025.0)}
    assert Variant("mpd", "11").signature.audio == {}


def test_the_audio_that_is_made_counts_once_whatever_it_is_made_of(tmp_path: Path) -> None:
    sizes = {"batch": 3, "frames": 40}
    made = 3 * 40 * 256 / 22050
    plain, speaker = (vocoder(tmp_path, kind).signature for kind in ("Vocoder", "Speaker"))
    assert plain.audio_seconds(sizes) == speaker.audio_seconds(sizes) == pytest.approx(made)
    pair = seen(speaker, ("pair",), "Speaker")
    assert pair.audio_seconds(sizes) == pytest.approx(2 * made)


def test_a_parity_report_tells_it_and_saves_what_there_is_to_hear(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    vocoder(tmp_path)
    command = ("parity", "--network", "vocoder.py:Vocoder", "--axis", "frames=40", "--out", "r")
    ran = run_main(cli.bench_main, *command, "--save-wav", "w")
    assert ran.code == 0, ran.err
    (report,) = json.loads(Path("r/parity.json").read_text())
    assert report["source"] == "mel: log-mel of clip"
    for case in report["cases"]:
        (output,) = case["outputs"]
        assert 0 < output["parity"]["log_mel"] < 1e-4
        assert 0 < output["parity"]["torch_log_mel"] < 1e-4
    heard = {}
    for who in ("float64", "onnxruntime"):
        heard[who], rate = soundfile.read(f"w/Vocoder-audio-{who}.wav", dtype="float32")
        assert rate == 22050 and heard[who].shape == (40 * 256,)
    apart = np.abs(heard["float64"] - heard["onnxruntime"]).max()
    assert 0 < apart < 1e-5 and heard["float64"].std() > 1e-3
    assert not Path("r/Vocoder-audio-float64.wav").exists()


def test_what_makes_no_audio_has_nothing_to_save(tmp_path: Path) -> None:
    wanted = ("parity", "--period", "2", "--samples", "64", "--out", tmp_path)
    ran = run_main(cli.bench_main, *wanted, "--save-wav", tmp_path)
    assert ran.code == 1
    assert ran.err == "error: no output of mpd-2 is audio: leave out --save-wav\n"
