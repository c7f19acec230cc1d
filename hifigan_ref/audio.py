"""Waveforms of shape (N, 1, T): the shipped speech clip or a wav file."""

import os
from dataclasses import dataclass, replace
from importlib import resources
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hifigan_ref.errors import HifiError

CLIP_RATE = 22050
LOADED_PEAK = 0.95  # meldataset.py of jik876/hifi-gan: normalize(audio) * 0.95, file by file


@dataclass(frozen=True)
class Recording:
    """One channel of audio.

    Attributes:
        samples: (T,), float32, nominally in [-1, 1].
        rate: Hz.
        source: what it is called in reports: ``clip`` or the file's name.
        note: what a user must know about how the file was read, or "".
    """

    samples: NDArray[np.float32]
    rate: int
    source: str
    note: str = ""

    def batch(self, count: int, samples: int, first: int = 0) -> NDArray[np.float32]:
        """Segments one after the other, the recording starting over at its end.

        Args:
            count: N.
            samples: T.
            first: number of segments to skip.

        Returns:
            (N, 1, T).
        """
        start = first * samples
        index = (start + np.arange(count * samples)) % self.samples.size
        return self.samples[index].reshape(count, 1, samples)

    def sounding(self, count: int, samples: int, first: int = 0) -> NDArray[np.float32]:
        """The same, of which none is silent: parity on zeros says nothing.

        Raises:
            HifiError: a segment is silent.
        """
        segments = self.batch(count, samples, first)
        if not segments.any(axis=2).all():
            raise HifiError(
                f"a segment of {samples} samples of {self.source} is silent, and parity on zeros "
                "says nothing: give another file or longer segments"
            )
        return segments

    def loaded(self, gain_db: float = 0.0) -> "Recording":
        """The same at the level that HiFi-GAN's training code gives every file, and a gain, dB."""
        peak = float(np.abs(self.samples).max())
        gain = LOADED_PEAK / peak * 10 ** (gain_db / 20)
        return replace(self, samples=(self.samples * gain).astype(np.float32))

    def loudest_first(self) -> "Recording":
        """The same, starting at its loudest sample and going on from its end."""
        start = int(np.abs(self.samples).argmax())
        return replace(self, samples=np.roll(self.samples, -start))


def clip() -> Recording:
    """The shipped speech clip: 8 s at 22,050 Hz."""
    with resources.as_file(resources.files("hifigan_ref") / "data" / "speech_22k.wav") as path:
        recording = read_wav(path)
    return Recording(recording.samples, recording.rate, "clip")


def speech() -> Recording:
    """The clip's first half: what outputs are judged on."""
    whole = clip()
    return replace(whole, samples=whole.samples[: whole.samples.size // 2])


def calibration_speech() -> Recording:
    """The clip's second half: what ranges are taken from, so that nothing is judged on it."""
    whole = clip()
    return replace(whole, samples=whole.samples[whole.samples.size // 2 :])


def read_wav(path: Path) -> Recording:
    """Read a file with one channel; another rate than 22,050 Hz is kept as samples, with a note.

    Raises:
        HifiError: not readable as audio, empty, not mono, silent, or not finite.
    """
    import soundfile

    try:
        samples, rate = soundfile.read(path, dtype="float32", always_2d=True)
    except (soundfile.LibsndfileError, OSError, TypeError) as error:
        told = error if os.path.isfile(path) else "it is not a file"  # noqa: PTH113 - long names
        raise HifiError(f"{path} cannot be read as audio ({told}): give a mono wav file") from None
    if samples.shape[0] == 0:
        raise HifiError(f"{path} holds no samples: give a wav file with audio in it")
    if samples.shape[1] != 1:
        raise HifiError(
            f"{path} has {samples.shape[1]} channels and one is allowed: mix it down first "
            "(sox IN.wav -c 1 OUT.wav)"
        )
    if not np.isfinite(samples).all():
        raise HifiError(f"{path} holds NaN or Inf: give finite samples")
    if not samples.any():
        raise HifiError(f"{path} is silent: parity on zeros says nothing, give a file with sound")
    note = ""
    if rate != CLIP_RATE:
        note = f"{path.name} is at {rate} Hz: its samples are used as they are, not resampled"
    return Recording(samples[:, 0], rate, path.name, note)
