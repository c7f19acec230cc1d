"""Audio whose ranges an int8 graph is made for, at the levels that the networks meet.

Of the shipped clip the second half calibrates, and the first one judges. HiFi-GAN's training code
scales every file to a peak of 0.95. All audio is heard at that level, louder, as denser speech of
the same peak is, and quieter, as files are that nobody scaled.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from hifigan_ref import audio
from hifigan_ref.audio import Recording
from hifigan_ref.errors import HifiError
from hifigan_ref.rate import CLIP_RATE

SEGMENT = 8192  # samples
FEWEST_SEGMENTS = 4
MOST_SEGMENTS = 16
GAINS_DB = (6.0, 0.0, -14.0)  # beside the level that training code gives a file
MOST_FILES = 64  # of a folder
SUFFIXES = (".wav", ".flac", ".ogg")
NAMED_AT_MOST = 3

Segment = NDArray[np.float32]
Level = NDArray[np.float32]
"""Stretches that are heard in one way, as at one gain, (n, 1, T)."""

Each = TypeVar("Each")


@dataclass(frozen=True)
class Calibration:
    """Files; none for the shipped clip.

    Attributes:
        files: as they were given.
        digest: sha256 of their contents, one after the other.
    """

    files: tuple[str, ...] = ()
    digest: str = ""

    @property
    def nameless(self) -> "Calibration":
        """The same without folders: what an exported file may tell."""
        return Calibration(tuple(Path(file).name for file in self.files), self.digest)

    def __str__(self) -> str:
        names = self.nameless.files
        more = len(names) - NAMED_AT_MOST
        told = ", ".join(names[:NAMED_AT_MOST]) or "the shipped clip's second half"
        return f"{told} and {more} more" if more > 0 else told


CLIP = Calibration()


def calibration_of(given: tuple[Path, ...]) -> Calibration:
    """Files that calibrate, each of which is read once here, to be refused at the door.

    Args:
        given: files, and folders, of whose audio files some are taken, evenly spread.

    Raises:
        HifiError: one cannot be read, is silent, too short, not finite, or of another rate, or a
            folder holds none.
    """
    if not given:
        return CLIP
    files = tuple(file for each in given for file in (_held(each) if each.is_dir() else (each,)))
    found = Calibration(tuple(map(str, files)), _digest(files))
    segments(found)
    return found


def _held(folder: Path) -> tuple[Path, ...]:
    """Audio files of a folder and those in it."""
    found = sorted(path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES)
    if not found:
        raise HifiError(
            f"calibration folder {folder} holds no audio ({', '.join(SUFFIXES)}): give the folder "
            "of the checkpoint's own speech"
        )
    return spread(found, MOST_FILES)


@cache
def segments(calibration: Calibration) -> tuple[Level, ...]:
    """Stretches of speech that are not silent, evenly spread over the files.

    Returns:
        The same stretches at each of ``GAINS_DB``, (n, 1, SEGMENT) each.

    Raises:
        HifiError: a file is silent, too short, not finite, or of another rate; or was changed.
    """
    found = [each for recording in recordings(calibration) for each in _cut(recording)]
    if len(found) < FEWEST_SEGMENTS:
        seconds = FEWEST_SEGMENTS * SEGMENT / CLIP_RATE
        raise HifiError(
            f"calibration audio {calibration} has {len(found)} stretches of {SEGMENT} samples with "
            f"sound, {FEWEST_SEGMENTS} are needed: give {seconds:.1f} seconds of speech or more"
        )
    return at_gains(spread(found, MOST_SEGMENTS))


def at_gains(stretches: Sequence[Segment]) -> tuple[Level, ...]:
    """Stretches of loaded recordings at each of ``GAINS_DB``, (n, 1, T) each."""
    stacked = np.stack(stretches)
    return tuple((stacked * 10 ** (gain / 20)).astype(np.float32) for gain in GAINS_DB)


def recordings(calibration: Calibration) -> tuple[Recording, ...]:
    """The audio, each file at the level that training code gives it.

    Raises:
        HifiError: a file is silent, of another rate, or was changed since it was chosen.
    """
    if not calibration.files:
        return (audio.calibration_speech().loaded(),)
    paths = tuple(map(Path, calibration.files))
    if _digest(paths) != calibration.digest:
        raise HifiError(
            f"calibration audio {calibration} was changed since it was chosen: run it again"
        )
    return tuple(map(_recording, paths))


def spread(found: Sequence[Each], most: int) -> tuple[Each, ...]:
    """So many of them, evenly spread, or all where they are fewer."""
    count = min(len(found), most)
    return tuple(found[i * len(found) // count] for i in range(count))


def _recording(path: Path) -> Recording:
    recording = audio.read_wav(path)
    if recording.rate != CLIP_RATE:
        raise HifiError(
            f"calibration audio {path} is at {recording.rate} Hz, the networks are for "
            f"{CLIP_RATE} Hz, and its ranges would be others: resample it first "
            f"(sox {path.name} -r {CLIP_RATE} OUT.wav)"
        )
    return recording.loaded()


def _cut(recording: Recording) -> list[Segment]:
    whole = recording.samples[: recording.samples.size // SEGMENT * SEGMENT]
    return [each for each in whole.reshape(-1, 1, SEGMENT) if each.any()]


def _digest(paths: tuple[Path, ...]) -> str:
    digests = b"".join(hashlib.sha256(_read(path)).digest() for path in paths)
    return hashlib.sha256(digests).hexdigest()


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise HifiError(
            f"cannot read calibration audio {path}: {error.strerror}: give a mono wav file"
        ) from None
