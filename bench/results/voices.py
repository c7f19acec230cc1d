"""Speech in many voices and languages that no file was made with: numbers, read by espeak-ng."""

import subprocess
from functools import cache

import numpy as np
from numpy.typing import NDArray

from export import scratch
from export.precision.calibration import SEGMENT, Level
from hifigan_ref.audio import Recording
from hifigan_ref.errors import HifiError
from hifigan_ref.rate import CLIP_RATE

VOICES = (
    *("en-us", "en-gb-scotland+f2", "de+m3", "fr-fr+f4", "es+m7", "it", "pt-br+f2", "nl+m3"),
    *("sv+f4", "pl+m7", "ru", "tr+f2", "cmn+m3", "ja+f4", "ko+m7", "hi", "ar+f2", "fi+m3"),
    *("el+f4", "vi+m7"),
)
NUMBERS = 40  # that each reads: about a minute and a half
SILENT_DBFS = -60.0


@cache
def _spoken(voice: str, seed: int) -> NDArray[np.float32]:
    import soundfile

    numbers = np.random.default_rng(seed).integers(0, 10000, NUMBERS)
    speed, pitch = 130 + 10 * (seed % 6), 30 + 7 * (seed % 7)
    command = ["espeak-ng", "-v", voice, "-s", str(speed), "-p", str(pitch)]
    with scratch.folder() as folder:
        file = str(folder / "speech.wav")
        spoken = [*command, "-w", file, " ".join(map(str, numbers))]
        try:
            subprocess.run(spoken, capture_output=True, check=True)  # noqa: S603 - no shell
        except (OSError, subprocess.CalledProcessError) as error:
            raise HifiError(f"espeak-ng does not speak {voice} ({error}): install it") from None
        samples, rate = soundfile.read(file, dtype="float32")
    assert rate == CLIP_RATE, rate
    return np.asarray(samples, np.float32)


def stretches_of(seconds: float) -> Level:
    """So much speech of all voices alike, as training code loads it, with sound: (n, 1, SEGMENT).

    Raises:
        HifiError: espeak-ng is not there.
    """
    each = int(np.ceil(seconds * CLIP_RATE / SEGMENT / len(VOICES)))
    found = []
    for seed, voice in enumerate(VOICES):
        samples = Recording(_spoken(voice, seed), CLIP_RATE, voice).loaded().samples
        cut = samples[: samples.size // SEGMENT * SEGMENT].reshape(-1, 1, SEGMENT)
        power = np.square(cut, dtype=np.float64).mean(axis=(1, 2))
        found.append(cut[power > 10 ** (SILENT_DBFS / 10)][:each])
    return np.concatenate(found)
