"""Log-mel spectrograms against the same recipe in PyTorch with the filters of another library."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from transformers.audio_utils import mel_filter_bank

from hifigan_ref import audio
from hifigan_ref.errors import HifiError
from hifigan_ref.log_mel import log_mel
from hifigan_ref.mel import Mel

RECIPES = (
    Mel(),
    Mel(bins=100, fmax=11025.0),
    Mel(bins=80, hop=300, n_fft=2048, win=1200, rate=24000, fmin=80.0, fmax=7600.0),
    Mel(bins=80, hop=200, n_fft=800, win=800, rate=16000),
    Mel(hop=353, n_fft=1413 + 1, win=1001),
)


def by_torch(recipe: Mel, waves: NDArray[np.float32]) -> NDArray[np.float64]:
    """(N, T) -> (N, bins, frames), as HiFi-GAN's training code does it."""
    filters = mel_filter_bank(
        recipe.n_fft // 2 + 1,
        recipe.bins,
        recipe.fmin,
        recipe.fmax,
        recipe.rate,
        norm="slaney",
        mel_scale="slaney",
    )
    y = torch.from_numpy(waves).double().unsqueeze(1)
    pad = int((recipe.n_fft - recipe.hop) / 2)
    y = torch.nn.functional.pad(y, (pad, pad), mode="reflect").squeeze(1)
    spectrum = torch.stft(
        y,
        recipe.n_fft,
        recipe.hop,
        recipe.win,
        torch.hann_window(recipe.win, dtype=torch.float64),
        center=False,
        return_complex=True,
    )
    power = torch.view_as_real(spectrum).pow(2).sum(-1)
    bands = torch.from_numpy(filters.T) @ torch.sqrt(power + 1e-9)
    found: NDArray[np.float64] = torch.log(torch.clamp(bands, min=1e-5)).numpy()
    return found


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda r: f"{r.bins}-{r.hop}-{r.n_fft}-{r.win}")
@pytest.mark.parametrize("samples", [2048, 8191, 22050])
def test_it_is_what_training_code_computes(recipe: Mel, samples: int) -> None:
    waves = audio.speech().batch(2, samples, 3)
    found = log_mel(recipe, waves)
    expected = by_torch(recipe, waves[:, 0])[:, np.newaxis]
    assert found.shape == (2, 1, recipe.bins, recipe.frames(samples)) == expected.shape
    np.testing.assert_allclose(found, expected, atol=1e-4, rtol=0)  # filters in float32
    assert found.std() > 1


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda r: f"{r.bins}-{r.hop}-{r.n_fft}-{r.win}")
@pytest.mark.parametrize("frames", [1, 2, 3, 7, 32])
def test_as_few_samples_as_frames_need(recipe: Mel, frames: int) -> None:
    samples = recipe.samples(frames)
    assert recipe.frames(samples) == frames and recipe.frames(samples - 1) == frames - 1
    found = log_mel(recipe, audio.speech().batch(1, samples, 2))
    assert found.shape == (1, 1, recipe.bins, frames) and np.isfinite(found).all()


def test_a_frame_is_a_hop_of_the_usual_recipe() -> None:
    assert Mel().samples(86) == 86 * 256


def test_silence_is_at_the_floor_and_twice_the_level_adds_the_logarithm_of_2() -> None:
    wave = audio.speech().batch(1, 8192, 2)
    silent = log_mel(Mel(), np.zeros_like(wave))
    assert silent.max() < np.log(1e-2) and silent.min() >= np.log(1e-5) - 1e-12
    loud = log_mel(Mel(), wave)
    high = loud > -2  # far above what is added to the power
    np.testing.assert_allclose(log_mel(Mel(), 2 * wave)[high], loud[high] + np.log(2), atol=1e-3)
    assert high.mean() > 0.1


@pytest.mark.parametrize(
    ("field", "value"),
    [
        *(("hop", 0), ("hop", 1025), ("n_fft", 1025), ("win", 2048), ("bins", 0)),
        *(("fmin", -1.0), ("fmax", 0.0), ("fmax", 12000.0)),
    ],
)
def test_what_makes_no_spectrogram_is_refused(field: str, value: Any) -> None:
    with pytest.raises(HifiError, match="choose") as caught:
        replace(Mel(), **{field: value})
    assert "\n" not in str(caught.value)
