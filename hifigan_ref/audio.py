"""Waveforms of shape (N, 1, T): the shipped speech clip or a wav file."""

import os
from dataclasses import dataclass, replace
from importlib import resources
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hifigan_ref.errors import HifiError
from hifigan_ref.rate import CLIP_RATE

LOUDEST = 8.0  # 18 dB above full scale: more than a mix overshoots, less than integers reach
QUIETEST = 2.0**-10  # 60 dB below full scale: 32 steps of 16 bits, which leave no speech
INTEGER_SCALES = {16: 2**15, 24: 2**23, 32: 2**31}
SPIKES = 0.01  # of the samples at most; more are no spikes
LOADED_PEAK = 0.95  # meldataset.py of jik876/hifi-gan: normalize(audio) * 0.95, file by file


@dataclass(frozen=True)
class Recording:
    """One channel of audio.

    Attributes:
        samples: (T,), float32, nominally in [-1, 1] and never beyond ``LOUDEST``.
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
        HifiError: not readable as audio, empty, not mono, silent, not finite, or in another range
            than audio has.
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
    wrong = _why_no_sound(samples[:, 0])
    if wrong is not None:
        raise HifiError(f"{path} {wrong}")
    note = ""
    if rate != CLIP_RATE:
        note = f"{path.name} is at {rate} Hz: its samples are used as they are, not resampled"
    return Recording(samples[:, 0], rate, path.name, note)


def _why_no_sound(samples: NDArray[np.float32]) -> str | None:
    """What is wrong with the values of a channel and what to do, or None."""
    if not np.isfinite(samples).all():
        return "holds NaN or Inf: give finite samples, as float32 holds them"
    low, high = float(samples.min()), float(samples.max())
    peak = max(-low, high)
    if peak == 0:
        return "is silent: parity on zeros says nothing, give a file with sound"
    if peak > LOUDEST:
        return (
            f"has samples up to {peak:g}, within +-1 is expected and {LOUDEST:g} the most: "
            f"{_how_quieter(np.abs(samples), peak)}"
        )
    if low == high:
        return f"holds the constant {high:g}: give a file with sound"
    if (high - low) / 2 < QUIETEST:
        return (
            f"varies by no more than {(high - low) / 2:.3g}, where full scale is 1 and "
            f"{QUIETEST:.3g} the least: give louder audio (sox --norm IN.wav OUT.wav)"
        )
    return None


def _how_quieter(sizes: NDArray[np.float32], peak: float) -> str:
    """What to do with a channel that is too loud, from the absolute values of its samples."""
    beyond = sizes > LOUDEST
    count, sounding = int(beyond.sum()), int(np.count_nonzero(sizes))
    if count <= max(1.0, SPIKES * sounding) and count < sounding:
        rest, first = float(sizes[~beyond].max()), int(beyond.argmax())
        return (
            f"remove the {count} beyond, of which the first is sample {first}; "
            f"all others stay within {rest:.3g}"
        )
    for bits, scale in INTEGER_SCALES.items():
        if peak <= 2 * scale:  # resampled integers overshoot too
            return f"they are in the scale of {bits}-bit integers: divide them by {scale}"
    return "no scale of integers ends there: find out what wrote the file"
