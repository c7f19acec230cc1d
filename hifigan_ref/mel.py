"""Log-mel spectrograms by the recipe of HiFi-GAN's training code (its meldataset.py)."""

from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from hifigan_ref.audio import CLIP_RATE
from hifigan_ref.errors import HifiError

FLOOR = 1e-5  # of a bin, before the logarithm
TINY = 1e-9  # added to the power of each frequency

Floats = NDArray[np.floating]


@dataclass(frozen=True)
class Mel:
    """How a spectrogram is made of a waveform; the defaults are those of LJSpeech's models.

    Attributes:
        bins: triangular filters of Slaney's mel scale, each of area 1 over frequency.
        hop: samples from one frame to the next.
        n_fft: samples of each frame.
        win: of which a Hann window in the middle leaves so many.
        rate: of the waveform, Hz.
        fmin: where the lowest filter begins, Hz.
        fmax: where the highest ends, Hz.

    Raises:
        HifiError: on construction, for a value that makes no spectrogram.
    """

    bins: int = 80
    hop: int = 256
    n_fft: int = 1024
    win: int = 1024
    rate: int = CLIP_RATE
    fmin: float = 0.0
    fmax: float = 8000.0

    def __post_init__(self) -> None:
        if not 1 <= self.hop <= self.n_fft or self.n_fft % 2 or not 1 <= self.win <= self.n_fft:
            raise HifiError(
                f"a spectrogram of frames of {self.n_fft} samples, windows of {self.win} and hops "
                f"of {self.hop}: choose an even number of samples, and the others up to that"
            )
        if self.bins < 1 or not 0 <= self.fmin < self.fmax <= self.rate / 2:
            raise HifiError(
                f"a spectrogram of {self.bins} bins from {self.fmin:g} to {self.fmax:g} Hz at "
                f"{self.rate} Hz: choose 1 bin or more, within 0 to {self.rate / 2:g} Hz"
            )

    @classmethod
    def usual(cls, bins: int, seconds: float | None = None) -> "Mel":
        """The recipe in other bins, and in frames of so many seconds at the shipped clip's rate."""
        hop = cls.hop if seconds is None else max(1, round(seconds * CLIP_RATE))
        size = max(cls.n_fft, cls.n_fft // cls.hop * hop)
        return cls(bins, hop, size, size)

    @property
    def padding(self) -> int:
        """Samples that a waveform is reflected by at each end."""
        return (self.n_fft - self.hop) // 2

    def frames(self, samples: int) -> int:
        """Of a waveform of so many samples."""
        return max(0, (samples + 2 * self.padding - self.n_fft) // self.hop + 1)

    def samples(self, frames: int) -> int:
        """The shortest waveform that has so many frames."""
        return self.n_fft - 2 * self.padding + (frames - 1) * self.hop

    def of(self, waves: Floats) -> NDArray[np.float64]:
        """Natural logarithms, (..., T) -> (..., bins, frames), in float64.

        A waveform no longer than ``padding`` is reflected again and again.
        """
        flat = waves.reshape(-1, waves.shape[-1])
        found = np.stack([self._one(wave.astype(np.float64)) for wave in flat])
        return found.reshape(*waves.shape[:-1], *found.shape[1:])

    def distance(self, exact: Floats, found: Floats) -> float:
        """Mean absolute difference of the logarithms of two waveforms, (..., T) each.

        Of one that is shorter than a hop, as if silence followed; infinite where one is not finite.
        """
        missing = max(0, self.samples(1) - exact.shape[-1])
        ends = [(0, 0)] * (exact.ndim - 1) + [(0, missing)]
        with np.errstate(invalid="ignore", over="ignore"):
            one, other = (self.of(np.pad(each, ends)) for each in (exact, found))
            apart = float(np.abs(one - other).mean())
        return apart if np.isfinite(apart) else float("inf")

    def _one(self, wave: NDArray[np.float64]) -> NDArray[np.float64]:
        padded = np.pad(wave, self.padding, mode="reflect")
        frames = sliding_window_view(padded, self.n_fft)[:: self.hop]
        spectrum = np.fft.rfft(frames * _window(self.win, self.n_fft))
        magnitudes = np.sqrt(spectrum.real**2 + spectrum.imag**2 + TINY)
        found: NDArray[np.float64] = np.log(np.maximum(_filters(self) @ magnitudes.T, FLOOR))
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
