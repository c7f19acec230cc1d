"""How log-mel spectrograms are made: the recipe of HiFi-GAN's training code (meldataset.py)."""

from dataclasses import dataclass

from hifigan_ref.errors import HifiError
from hifigan_ref.rate import CLIP_RATE


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
