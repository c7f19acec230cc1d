"""Log-mel spectrograms of waveforms, by a recipe."""

from functools import cache

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from hifigan_ref.mel import Mel

FLOOR = 1e-5  # of a bin, before the logarithm
TINY = 1e-9  # added to the power of each frequency

Floats = NDArray[np.floating]


def log_mel(recipe: Mel, waves: Floats) -> NDArray[np.float64]:
    """Natural logarithms, (..., T) -> (..., bins, frames), in float64.

    A waveform no longer than the recipe's ``padding`` is reflected again and again.
    """
    flat = waves.reshape(-1, waves.shape[-1])
    found = np.stack([_one(recipe, wave.astype(np.float64)) for wave in flat])
    return found.reshape(*waves.shape[:-1], *found.shape[1:])


def distance(recipe: Mel, exact: Floats, found: Floats) -> float:
    """Mean absolute difference of the logarithms of two waveforms, (..., T) each.

    Of one that is shorter than a hop, as if silence followed; infinite where one is not finite.
    """
    missing = max(0, recipe.samples(1) - exact.shape[-1])
    ends = [(0, 0)] * (exact.ndim - 1) + [(0, missing)]
    with np.errstate(invalid="ignore", over="ignore"):
        one, other = (log_mel(recipe, np.pad(each, ends)) for each in (exact, found))
        apart = float(np.abs(one - other).mean())
    return apart if np.isfinite(apart) else float("inf")


def _one(recipe: Mel, wave: NDArray[np.float64]) -> NDArray[np.float64]:
    padded = np.pad(wave, recipe.padding, mode="reflect")
    frames = sliding_window_view(padded, recipe.n_fft)[:: recipe.hop]
    spectrum = np.fft.rfft(frames * _window(recipe.win, recipe.n_fft))
    magnitudes = np.sqrt(spectrum.real**2 + spectrum.imag**2 + TINY)
    found: NDArray[np.float64] = np.log(np.maximum(_filters(recipe) @ magnitudes.T, FLOOR))
    return found


def _window(win: int, n_fft: int) -> NDArray[np.float64]:
    """A periodic Hann window in the middle of a frame."""
    left = (n_fft - win) // 2
    hann = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(win) / win)
    return np.pad(hann, (left, n_fft - win - left))


@cache
def _filters(recipe: Mel) -> NDArray[np.float64]:
    """As ``librosa.filters.mel`` makes them, (bins, n_fft / 2 + 1)."""
    import kaldi_native_fbank as fbank

    shape = fbank.MelBanksOptions(
        num_bins=recipe.bins,
        low_freq=recipe.fmin,
        high_freq=recipe.fmax,
        is_librosa=True,
        norm="slaney",
        use_slaney_mel_scale=True,
    )
    frame = fbank.FrameExtractionOptions(
        samp_freq=recipe.rate,
        frame_length_ms=1000 * (recipe.n_fft + 0.5) / recipe.rate,  # is rounded down to samples
        round_to_power_of_two=False,
    )
    banks = fbank.MelBanks(shape, frame, 1.0)
    return np.array(banks.get_matrix(), dtype=np.float64)
