"""Audio whose ranges an int8 graph is made for.

Of the shipped clip the second half calibrates, and the first one judges.
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
from hifigan_ref.audio import CLIP_RATE, Recording
from hifigan_ref.errors import HifiError

SEGMENT = 8192  # samples
FEWEST_SEGMENTS = 4
MOST_SEGMENTS = 16

Segment = NDArray[np.float32]
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
        return ", ".join(self.nameless.files) or "the shipped clip's second half"


CLIP = Calibration()


def calibration_of(files: tuple[Path, ...]) -> Calibration:
    """Files that calibrate, each of which is read once here, to be refused at the door.

    Raises:
        HifiError: one cannot be read, is silent, too short, not finite, or of another rate.
    """
    if not files:
        return CLIP
    found = Calibration(tuple(map(str, files)), _digest(files))
    segments(found)
    return found


@cache
def segments(calibration: Calibration) -> tuple[Segment, ...]:
    """Stretches of speech that are not silent, evenly spread over the files, (1, 1, SEGMENT) each.

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
    return spread(found, MOST_SEGMENTS)


def recordings(calibration: Calibration) -> tuple[Recording, ...]:
    """The audio as it was read.

    Raises:
        HifiError: a file is silent, of another rate, or was changed since it was chosen.
    """
    if not calibration.files:
        return (audio.calibration_speech(),)
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
    return recording


def _cut(recording: Recording) -> list[Segment]:
    whole = recording.samples[: recording.samples.size // SEGMENT * SEGMENT]
    return [each for each in whole.reshape(-1, 1, 1, SEGMENT) if each.any()]


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
