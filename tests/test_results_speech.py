"""The command that holds files of few bits against speech of other voices."""

import json
from pathlib import Path

import numpy as np
import pytest
import typer
from numpy.typing import NDArray

from bench.exit_code import WRONG_ROW
from bench.results import speech, voices
from bench.results.speech import PEAKS, heard, main
from bench.results.voices import VOICES, stretches_of
from export.precision.calibration import SEGMENT
from export.sums import sums_of
from hifigan_ref import audio
from hifigan_ref.errors import HifiError
from hifigan_ref.rate import CLIP_RATE

LENGTH = 6 * SEGMENT


def spoken(voice: str, seed: int) -> NDArray[np.float32]:
    """The clip, from another place for each voice, the second stretch silent."""
    del voice
    samples = np.roll(audio.speech().samples, -seed * 1000)[:LENGTH].copy()
    samples[SEGMENT : 2 * SEGMENT] = 0
    return samples


@pytest.fixture(autouse=True)
def no_program(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(voices, "_spoken", spoken)


def test_all_voices_speak_alike_long_and_with_sound() -> None:
    found = stretches_of(len(VOICES) * 2 * SEGMENT / CLIP_RATE)
    assert found.shape == (2 * len(VOICES), 1, SEGMENT)
    assert np.square(found).mean(axis=(1, 2)).min() > 1e-6
    assert 0.5 < np.abs(found).max() <= 0.95 + 1e-6


@pytest.mark.parametrize("condition", PEAKS)
def test_each_condition_is_what_it_says(condition: str) -> None:
    loaded = stretches_of(1)
    found = heard(loaded, condition)
    if condition == "noise":
        noise = np.square(found - loaded, dtype=np.float64).mean(axis=2)
        ratio = 10 * np.log10(np.square(loaded, dtype=np.float64).mean(axis=2) / noise)
        assert ratio == pytest.approx(20.0, abs=0.2)
    else:
        peak = float(condition.split()[1])
        assert np.abs(found).max() == pytest.approx(np.abs(loaded).max() * peak / 0.95, rel=1e-5)


def run(folder: Path) -> tuple[int, list[dict[str, object]], str]:
    with pytest.raises(typer.Exit) as ended:
        main(folder / "speech", ["mpd-2"], ["int8"], 0.12)
    record = json.loads((folder / "speech.json").read_text())
    return ended.value.exit_code, record["rows"], (folder / "speech.md").read_text()


def test_a_file_that_leaves_its_budget_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    code, rows, page = run(tmp_path)
    assert code == 0 and [row["condition"] for row in rows] == list(PEAKS)
    assert all(row["within"] and row["missed"] == 0 for row in rows)
    assert "| mpd-2 | int8, 20 dB |" in page

    def coarser(exact: NDArray[np.floating], found: NDArray[np.floating]) -> object:
        return sums_of(exact, 1.2 * found)

    monkeypatch.setattr(speech, "sums_of", coarser)
    code, rows, page = run(tmp_path)
    assert code == WRONG_ROW and all(row["missed"] for row in rows)


def test_without_the_program_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    monkeypatch.setenv("PATH", "")
    voices._spoken.cache_clear()
    with pytest.raises(HifiError, match="espeak-ng does not speak en-us"):
        stretches_of(1)
