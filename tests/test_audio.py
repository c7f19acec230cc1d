"""Waveforms: the shipped clip, wav files, and what is refused."""

from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from hifigan_ref.audio import Recording, clip, read_wav
from hifigan_ref.errors import HifiError
from hifigan_ref.rate import CLIP_RATE

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


def test_two_samples_are_enough(tmp_path: Path) -> None:
    recording = read_wav(write(tmp_path / "voice.wav", np.array([0.5, -0.5], np.float32)))
    assert recording.batch(2, 3).tolist() == [[[0.5, -0.5, 0.5]], [[-0.5, 0.5, -0.5]]]


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


def spiked(value: float, count: int = 1) -> NDArray[np.float32]:
    samples = tone(1000)
    samples[100 : 100 + count] = value
    return samples


@pytest.mark.parametrize(
    ("samples", "words"),
    [
        (tone(1000) * 32767, ("up to 16383.", "16-bit integers", "divide them by 32768")),
        (tone(1000) * -66000, ("16-bit integers",)),
        (tone(1000) * 300, ("up to 150", "divide them by 32768")),
        (tone(1000) * 2**23, ("24-bit integers: divide them by 8388608",)),
        (tone(1000) * 2**31, ("32-bit integers: divide them by 2147483648",)),
        (tone(1000) * 1e12, ("find out what wrote the file",)),
        (tone(1000) * 17, ("up to 8.5", "within +-1 is expected and 8 the most")),
        (np.full(1000, 1e30, np.float32), ("find out what wrote the file",)),
        (spiked(1e30), ("up to 1e+30", "remove the 1 beyond", "sample 100;", "within 0.5")),
        (spiked(-3e38, 9), ("up to 3e+38", "remove the 9 beyond, of which the first is")),
        (spiked(26214, 100), ("divide them by 32768",)),
        (np.full(9, 0.5, np.float32), ("holds the constant 0.5",)),
        (np.full(1, -1, np.float32), ("holds the constant -1",)),
        (tone(1000) * 1e-40, ("varies by no more than 5e-41", "0.000977 the least", "sox --norm")),
        (tone(1000) * 1e-6, ("varies by no more than 5e-07",)),
        (tone(1000) * 1e-4 + 0.5, ("varies by no more than 5e-05",)),
    ],
)
def test_another_range_than_that_of_audio_is_refused(
    tmp_path: Path, samples: NDArray[np.float32], words: tuple[str, ...]
) -> None:
    message = refusal(write(tmp_path / "voice.wav", samples))
    for word in words:
        assert word in message


def test_a_value_that_float32_cannot_hold_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "voice.wav"
    soundfile.write(path, spiked(1).astype(np.float64) * 1e300, CLIP_RATE, subtype="DOUBLE")
    assert "as float32 holds them" in refusal(path)


@pytest.mark.parametrize("peak", [0.001, 0.01, 1.0, 1.5, 4.0, 8.0])
def test_every_level_of_speech_is_taken_as_it_is(tmp_path: Path, peak: float) -> None:
    """A mix in float goes beyond full scale, and a far voice is quiet."""
    samples = tone(1000) / np.abs(tone(1000)).max() * np.float32(peak)
    assert np.array_equal(read_wav(write(tmp_path / "voice.wav", samples)).samples, samples)


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
