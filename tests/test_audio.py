"""Waveforms: the shipped clip, wav files, and what is refused."""

from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from hifigan_ref.audio import CLIP_RATE, Recording, clip, read_wav
from hifigan_ref.errors import HifiError

RAMP = Recording(np.arange(1, 11, dtype=np.float32), CLIP_RATE, "ramp")


def refusal(path: Path) -> str:
    """The one line that refuses a file."""
    with pytest.raises(HifiError) as caught:
        read_wav(path)
    message = str(caught.value)
    assert message.startswith(str(path))
    assert message.isprintable()  # no line break, no control character
    return message


def write(path: Path, samples: NDArray[np.float32], rate: int = CLIP_RATE) -> Path:
    soundfile.write(path, samples, rate, subtype="FLOAT", format="WAV")
    return path


def tone(samples: int) -> NDArray[np.float32]:
    return (np.sin(np.arange(samples) / 7) / 2).astype(np.float32)


def test_the_clip_is_eight_seconds_of_speech() -> None:
    recording = clip()
    assert (recording.rate, recording.source, recording.note) == (22050, "clip", "")
    assert recording.samples.dtype == np.float32 and recording.samples.ndim == 1
    assert 8.0 <= recording.samples.size / recording.rate < 8.2
    assert 0.5 < np.abs(recording.samples).max() <= 1.0
    assert 0.05 < np.sqrt(np.mean(recording.samples**2)) < 0.2
    assert abs(recording.samples.mean()) < 0.01


def test_the_calibration_segment_is_not_silence() -> None:
    quarters = clip().batch(1, 8192).reshape(4, -1)
    assert (np.sqrt(np.mean(quarters**2, axis=1)) > 0.01).all()


def test_the_clip_is_the_same_each_time() -> None:
    assert np.array_equal(clip().samples, clip().samples)


def test_segments_follow_each_other() -> None:
    batch = RAMP.batch(2, 3)
    assert batch.shape == (2, 1, 3) and batch.dtype == np.float32
    assert batch.tolist() == [[[1, 2, 3]], [[4, 5, 6]]]
    assert RAMP.batch(2, 3, first=1).tolist() == [[[4, 5, 6]], [[7, 8, 9]]]


def test_the_recording_starts_over_at_its_end() -> None:
    assert RAMP.batch(1, 23).ravel().tolist() == [*range(1, 11), *range(1, 11), 1, 2, 3]
    assert RAMP.batch(2, 3, first=3).tolist() == [[[10, 1, 2]], [[3, 4, 5]]]


@given(st.integers(1, 5), st.integers(1, 40), st.integers(0, 9))
@settings(max_examples=50, deadline=None, derandomize=True, database=None)
def test_a_batch_is_a_stretch_of_the_repeated_recording(
    count: int, samples: int, first: int
) -> None:
    batch = RAMP.batch(count, samples, first)
    assert batch.shape == (count, 1, samples)
    start = first * samples
    assert batch.ravel().tolist() == [i % 10 + 1 for i in range(start, start + count * samples)]


def test_a_batch_is_a_copy() -> None:
    batch = RAMP.batch(1, 10)
    batch[:] = -1
    assert RAMP.samples[0] == 1


def test_a_wav_file_is_read_as_it_is(tmp_path: Path) -> None:
    recording = read_wav(write(tmp_path / "voice.wav", tone(1000)))
    assert (recording.rate, recording.source, recording.note) == (22050, "voice.wav", "")
    assert recording.samples.dtype == np.float32
    assert np.array_equal(recording.samples, tone(1000))


def test_sixteen_bits_become_numbers_around_zero(tmp_path: Path) -> None:
    path = tmp_path / "voice.wav"
    soundfile.write(path, np.array([-32768, 0, 16384], np.int16), CLIP_RATE, subtype="PCM_16")
    assert read_wav(path).samples.tolist() == [-1.0, 0.0, 0.5]


@pytest.mark.parametrize("rate", [16000, 44100, 48000])
def test_another_rate_is_kept_and_said(tmp_path: Path, rate: int) -> None:
    recording = read_wav(write(tmp_path / "voice.wav", tone(1000), rate))
    assert recording.rate == rate
    assert np.array_equal(recording.samples, tone(1000))
    assert "voice.wav" in recording.note and str(rate) in recording.note
    assert "not resampled" in recording.note


def test_one_sample_is_enough(tmp_path: Path) -> None:
    recording = read_wav(write(tmp_path / "voice.wav", np.full(1, 0.5, np.float32)))
    assert recording.batch(2, 2).tolist() == [[[0.5, 0.5]], [[0.5, 0.5]]]


@pytest.mark.parametrize("channels", [2, 6])
def test_more_channels_are_refused(tmp_path: Path, channels: int) -> None:
    path = write(tmp_path / "voice.wav", np.tile(tone(100)[:, None], (1, channels)))
    message = refusal(path)
    assert f"{channels} channels" in message and "mix it down" in message


def test_no_samples_are_refused(tmp_path: Path) -> None:
    assert "holds no samples" in refusal(write(tmp_path / "voice.wav", np.zeros(0, np.float32)))


def test_silence_is_refused(tmp_path: Path) -> None:
    assert "is silent" in refusal(write(tmp_path / "voice.wav", np.zeros(100, np.float32)))


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_what_is_no_number_is_refused(tmp_path: Path, value: float) -> None:
    samples = tone(100)
    samples[50] = value
    assert "NaN or Inf" in refusal(write(tmp_path / "voice.wav", samples))


@pytest.mark.parametrize("name", ["voice.wav", "voice.raw", "voice"])
@pytest.mark.parametrize("content", [b"", b"RIFF", b"no audio at all" * 50, bytes(1000)])
def test_what_is_no_audio_is_refused(tmp_path: Path, name: str, content: bytes) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    assert "cannot be read as audio" in refusal(path)


def test_a_header_cut_short_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "voice.wav", tone(100))
    path.write_bytes(path.read_bytes()[:30])
    refusal(path)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    assert "cannot be read as audio" in refusal(tmp_path / "missing.wav")


def test_a_folder_is_refused(tmp_path: Path) -> None:
    assert "cannot be read as audio" in refusal(tmp_path)


def test_a_name_that_no_file_system_takes_is_refused(tmp_path: Path) -> None:
    refusal(tmp_path / f"{'long' * 100}.wav")


def test_a_silent_segment_is_refused_although_the_file_is_not() -> None:
    samples = np.zeros(100, np.float32)
    samples[50] = 1
    recording = Recording(samples, CLIP_RATE, "late.wav")
    assert recording.sounding(1, 60).any()
    assert not recording.batch(1, 50).any()
    with pytest.raises(HifiError, match="a segment of 50 samples of late.wav is silent"):
        recording.sounding(2, 50)
