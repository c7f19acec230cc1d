"""Audio that ranges are taken from: what is cut out of it, and what is refused at the door."""

from pathlib import Path

import numpy as np
import pytest
import soundfile

from export.precision import calibration
from export.precision.calibration import (
    CLIP,
    GAINS_DB,
    MOST_FILES,
    MOST_SEGMENTS,
    SEGMENT,
    Calibration,
    calibration_of,
    segments,
)
from hifigan_ref import audio
from hifigan_ref.errors import HifiError

RATE = 22050


@pytest.fixture(autouse=True)
def own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def speech(count: int, seed: int = 0) -> np.ndarray:
    """Noise will do."""
    return 0.1 * np.random.default_rng(seed).standard_normal(count).astype(np.float32)


def wav(name: str, samples: np.ndarray, rate: int = RATE) -> Path:
    soundfile.write(name, samples, rate, subtype="FLOAT")
    return Path(name)


def refusal(*files: Path) -> str:
    with pytest.raises(HifiError) as caught:
        calibration_of(files)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_the_shipped_clip_calibrates_with_the_half_that_judges_nothing() -> None:
    (found,) = (level for level, gain in zip(segments(CLIP), GAINS_DB, strict=True) if gain == 0)
    assert calibration_of(()) == CLIP and str(CLIP) == "the shipped clip's second half"
    assert 4 <= len(found) <= MOST_SEGMENTS
    judged = audio.speech().loaded().samples
    windows = {judged[start : start + 64].tobytes() for start in range(judged.size - 64)}
    heard = audio.calibration_speech().loaded().samples
    cut = {heard[start : start + 64].tobytes() for start in range(heard.size - 64)}
    for each in found:
        assert each.shape == (1, SEGMENT) and each.dtype == np.float32 and each.any()
        assert each[0, :64].tobytes() not in windows
        assert each[0, :64].tobytes() in cut


def test_every_file_is_heard_as_training_code_loads_it_and_at_gains_around() -> None:
    """meldataset.py scales each file to a peak of 0.95, however loud it was recorded."""
    loud = speech(4 * SEGMENT)
    paths = wav("loud.wav", loud), wav("quiet.wav", 0.02 * loud)
    found = segments(calibration_of(paths))
    for level, gain in zip(found, GAINS_DB, strict=True):
        peak = 0.95 * 10 ** (gain / 20)
        assert np.abs(level[:4]).max() == pytest.approx(peak, rel=1e-6)
        np.testing.assert_allclose(level[4:], level[:4], rtol=1e-5, atol=1e-9)
    assert min(GAINS_DB) <= -6 and max(GAINS_DB) >= 6


def test_a_folder_gives_its_audio_files_evenly_spread() -> None:
    Path("corpus/a").mkdir(parents=True)
    for index in range(MOST_FILES + 2):
        wav(f"corpus/a/{index:03}.wav", speech(SEGMENT, index))
    Path("corpus/readme.txt").write_text("no audio")
    found = calibration_of((Path("corpus"),))
    assert len(found.files) == MOST_FILES
    assert str(found) == f"000.wav, 001.wav, 002.wav and {MOST_FILES - 3} more"


def test_a_folder_without_audio_is_refused() -> None:
    Path("empty").mkdir()
    assert "calibration folder empty holds no audio (.wav, .flac, .ogg)" in refusal(Path("empty"))


def test_files_are_cut_one_after_the_other_and_silence_is_left_out() -> None:
    first = np.concatenate([speech(2 * SEGMENT), np.zeros(SEGMENT, np.float32), speech(100, 1)])
    paths = wav("a.wav", first), wav("b.wav", speech(3 * SEGMENT, 2))
    found = segments(calibration_of(paths))[GAINS_DB.index(0)]
    both = (first[: 2 * SEGMENT], first), (speech(3 * SEGMENT, 2),) * 2
    cut = [part * np.float32(0.95 / np.abs(whole).max()) for part, whole in both]
    np.testing.assert_allclose(found, np.concatenate(cut).reshape(-1, 1, SEGMENT), rtol=1e-6)


def test_of_long_audio_segments_are_evenly_spread() -> None:
    samples = speech(40 * SEGMENT)
    found = segments(calibration_of((wav("long.wav", samples),)))[GAINS_DB.index(0)]
    assert len(found) == MOST_SEGMENTS
    loaded = samples * (0.95 / np.abs(samples).max())
    starts = [
        index
        for index, each in enumerate(loaded.reshape(-1, SEGMENT))
        if any(np.allclose(each, kept[0]) for kept in found)
    ]
    assert starts[0] == 0 and set(np.diff(starts)) <= {2, 3}


def test_another_content_is_another_calibration() -> None:
    path = wav("a.wav", speech(4 * SEGMENT))
    before = calibration_of((path,))
    assert calibration_of((path,)) == before
    wav("a.wav", speech(4 * SEGMENT, 1))
    assert calibration_of((path,)) != before


def test_a_file_that_was_changed_since_is_told() -> None:
    path = wav("a.wav", speech(4 * SEGMENT))
    before = calibration_of((path,))
    wav("a.wav", speech(4 * SEGMENT, 1))
    calibration.segments.cache_clear()
    with pytest.raises(HifiError, match=r"a\.wav was changed since it was chosen"):
        segments(before)


def test_only_names_are_told() -> None:
    found = calibration_of((wav("a.wav", speech(4 * SEGMENT)).absolute(),))
    assert str(found) == "a.wav" and found.nameless.files == ("a.wav",)
    assert found.nameless.digest == found.digest != Calibration().digest


def test_silent_audio_is_refused() -> None:
    assert "quiet.wav is silent" in refusal(wav("quiet.wav", np.zeros(9 * SEGMENT, np.float32)))


def test_audio_that_is_nearly_all_silent_is_too_short() -> None:
    samples = np.zeros(9 * SEGMENT, np.float32)
    samples[5] = 0.1
    assert "has 1 stretches of 8192 samples with sound" in refusal(wav("click.wav", samples))


@pytest.mark.parametrize("count", [100, SEGMENT, 4 * SEGMENT - 1])
def test_audio_that_is_too_short_is_told_how_much_is_needed(count: int) -> None:
    told = refusal(wav("short.wav", speech(count)))
    assert f"short.wav has {count // SEGMENT} stretches" in told
    assert "give 1.5 seconds of speech or more" in told


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_audio_that_is_not_finite_is_refused(value: float) -> None:
    samples = speech(5 * SEGMENT)
    samples[77] = value
    assert "bad.wav holds NaN or Inf: give finite samples" in refusal(wav("bad.wav", samples))


@pytest.mark.parametrize("rate", [16000, 44100])
def test_audio_of_another_rate_is_refused(rate: int) -> None:
    told = refusal(wav("fast.wav", speech(5 * SEGMENT), rate))
    assert f"fast.wav is at {rate} Hz" in told and "22050 Hz" in told
    assert "sox fast.wav -r 22050 OUT.wav" in told


def test_audio_that_is_not_there_or_none_is_refused() -> None:
    assert "cannot read calibration audio none.wav: No such file" in refusal(Path("none.wav"))
    Path("text.wav").write_text("no audio")
    assert "text.wav cannot be read as audio" in refusal(Path("text.wav"))
    stereo = wav("stereo.wav", speech(8 * SEGMENT).reshape(-1, 2))
    assert "stereo.wav has 2 channels and one is allowed" in refusal(stereo)


def test_the_one_bad_file_of_several_is_named() -> None:
    good = wav("good.wav", speech(5 * SEGMENT))
    assert "slow.wav is at 8000" in refusal(good, wav("slow.wav", speech(5 * SEGMENT), 8000))
