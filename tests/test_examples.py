"""What inputs are given: speech, log-mels of the same speech, and noise from a seed."""

from dataclasses import replace

import numpy as np
import pytest

from hifigan_ref import audio
from hifigan_ref.errors import HifiError
from hifigan_ref.examples import example, source_of
from hifigan_ref.log_mel import log_mel
from hifigan_ref.mel import Mel
from hifigan_ref.network import Axis, Port

BATCH = Axis("batch", typical=2)
SAMPLES = Axis("samples", typical=8192, unit_s=1 / 22050)
FRAMES = Axis("frames", typical=32, unit_s=256 / 22050)
WAVE = Port("y", (BATCH, 1, SAMPLES), role="waveform")
MEL = Port("mel", (BATCH, 80, FRAMES), role="spectrogram")
LATENT = Port("z", (BATCH, 192, FRAMES))
SIZES = {"batch": 3, "samples": 8192, "frames": 31}


def test_a_spectrogram_is_of_speech_another_segment_for_each_item() -> None:
    speech = audio.speech()
    found = example([MEL], SIZES, speech)["mel"]
    assert found.shape == (3, 80, 31) and found.dtype == np.float32
    expected = log_mel(Mel(), speech.batch(3, 31 * 256))[:, 0]
    np.testing.assert_array_equal(found, expected.astype(np.float32))
    assert len({item.tobytes() for item in found}) == 3
    again = example([MEL], SIZES, speech)["mel"]
    assert np.array_equal(again, found)
    later = example([MEL], SIZES, speech, 1)["mel"]
    expected = log_mel(Mel(), speech.batch(3, 31 * 256, 3))[:, 0]
    np.testing.assert_array_equal(later, expected.astype(np.float32))


def test_its_level_is_that_of_the_speech() -> None:
    speech = audio.speech().loaded()
    quiet = example([MEL], SIZES, speech.loaded(-14.0))["mel"]
    loud = example([MEL], SIZES, speech)["mel"]
    high = quiet > -3
    np.testing.assert_allclose((loud - quiet)[high], 14 / 20 * np.log(10), atol=2e-3)
    assert high.mean() > 0.05


def test_inputs_of_several_roles_get_segments_of_their_own() -> None:
    speech = audio.speech()
    found = example([WAVE, MEL, LATENT], SIZES, speech)
    assert np.array_equal(found["y"], speech.batch(3, 8192))
    expected = log_mel(Mel(), speech.batch(3, 31 * 256, 3))[:, 0].astype(np.float32)
    assert np.array_equal(found["mel"], expected)
    assert found["z"].shape == (3, 192, 31) and abs(found["z"].std() - 1) < 0.02
    assert not np.array_equal(found["z"], example([LATENT], SIZES, speech, 1)["z"])


@pytest.mark.parametrize("frames", [1, 2, 3, 7, 32, 33, 860])
def test_any_number_of_frames(frames: int) -> None:
    found = example([MEL], {**SIZES, "frames": frames}, audio.speech())["mel"]
    assert found.shape == (3, 80, frames) and np.isfinite(found).all()


def test_silent_speech_is_refused_where_it_must_sound() -> None:
    silent = replace(audio.speech(), samples=np.zeros(22050, np.float32))
    with pytest.raises(HifiError, match="silent"):
        example([MEL], SIZES, silent, loud=True)


def test_the_recipe_is_in_the_bins_and_frames_of_the_shape() -> None:
    assert MEL.recipe == Mel()
    other = Port("mel", (BATCH, 100, Axis("frames", unit_s=300 / 24000)), role="spectrogram")
    assert other.recipe == Mel(100, 276, 1104, 1104)
    told = Mel(hop=200, n_fft=800, win=800, rate=16000)
    assert replace(MEL, mel=told).recipe == told
    nameless = Port("mel", (BATCH, 80, 40), role="spectrogram")
    assert nameless.recipe == Mel()
    assert WAVE.recipe is None and LATENT.recipe is None
    assert Port("mel", (BATCH, Axis("bins"), FRAMES), role="spectrogram").recipe is None


def test_the_source_of_each_input_is_said() -> None:
    speech = audio.speech()
    assert source_of([WAVE, replace(WAVE, name="y_hat")], speech) == "clip"
    told = "mel: log-mel of clip, z: seeded noise"
    assert source_of([MEL, LATENT], speech) == told
    assert source_of([LATENT], speech) == "z: seeded noise"
