"""The player without PyTorch: what it plays is the whole, and what it refuses is said in a line."""

import subprocess
import sys
import wave
from pathlib import Path

import numpy as np
import pytest

from export.request import ExportRequest
from export.stream_record import ChunkPlan
from export.streaming.write import export_chunk
from export.verify import snr_db
from hifigan_ref.source import Source
from hifigan_ref.trained import Trained
from hifigan_ref.variant import Variant

PLAYER = Path(__file__).parents[1] / "examples" / "stream.py"
SMALL = Variant.parse("generator-v3@upsample_initial_channel=32")
FRAMES = 47


@pytest.fixture(scope="module")
def trained() -> Trained:
    return Source.of([SMALL], None, 0).build(SMALL)


@pytest.fixture(scope="module", params=[False, True], ids=["context", "states"])
def network(
    request: pytest.FixtureRequest, trained: Trained, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    path = tmp_path_factory.mktemp("network") / "v3.onnx"
    plan = ChunkPlan(8, stateful=request.param)
    return export_chunk(ExportRequest(SMALL), plan, trained, path).artifact.path


@pytest.fixture(scope="module")
def mel() -> np.ndarray:
    return np.random.default_rng(0).standard_normal((80, FRAMES)).astype(np.float32)


@pytest.fixture(scope="module")
def whole(trained: Trained, mel: np.ndarray) -> np.ndarray:
    import torch

    with torch.no_grad():
        audio: np.ndarray = trained.module(torch.from_numpy(mel[None])).numpy().reshape(-1)
    return audio


def play(*arguments: object, given: bytes = b"") -> "subprocess.CompletedProcess[bytes]":
    command = [sys.executable, str(PLAYER), *map(str, arguments)]
    return subprocess.run(command, input=given, capture_output=True, check=False)


def refusal(*arguments: object, given: bytes = b"") -> str:
    done = play(*arguments, given=given)
    assert done.returncode == 1
    told = done.stderr.decode().strip()
    assert told.startswith("error: ")
    assert "\n" not in told
    return told


def test_a_file_becomes_a_wav_that_is_the_whole(
    network: Path, mel: np.ndarray, whole: np.ndarray, tmp_path: Path
) -> None:
    np.save(tmp_path / "mel.npy", mel)
    done = play(network, tmp_path / "mel.npy", tmp_path / "out.wav")
    assert done.returncode == 0, done.stderr
    with wave.open(str(tmp_path / "out.wav")) as file:
        assert (file.getframerate(), file.getnchannels(), file.getsampwidth()) == (22050, 1, 2)
        found = np.frombuffer(file.readframes(file.getnframes()), "<i2")
    assert np.abs(found - (32767 * whole).astype(np.int16)).max() <= 1


@pytest.mark.parametrize("frames", [1, 7, 8, 30, FRAMES])
def test_standard_input_becomes_standard_output(
    frames: int, network: Path, mel: np.ndarray, trained: Trained
) -> None:
    import torch

    given = np.ascontiguousarray(mel[:, :frames])
    done = play(network, "-", "-", given=given.T.tobytes())
    with torch.no_grad():
        audio = trained.module(torch.from_numpy(given[None])).numpy().reshape(-1)
    found = np.frombuffer(done.stdout, "<i2")
    assert len(found) == 256 * frames
    assert snr_db(32767 * audio, found.astype(np.float64)) > 60  # of 16 bits


def test_audio_comes_before_the_last_frame(network: Path, mel: np.ndarray) -> None:
    command = [sys.executable, str(PLAYER), str(network), "-", "-"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as player:
        assert player.stdin and player.stdout
        player.stdin.write(np.ascontiguousarray(mel[:, : 8 + 16]).T.tobytes())
        player.stdin.flush()
        assert len(player.stdout.read(2 * 256 * 8)) == 2 * 256 * 8  # within 11 frames
        player.stdin.close()
        player.stdout.read()


def test_it_imports_no_pytorch() -> None:
    text = PLAYER.read_text()
    assert "torch" not in text.lower().replace("no pytorch", "")


def test_a_cut_file_is_refused(network: Path, mel: np.ndarray, tmp_path: Path) -> None:
    np.save(tmp_path / "mel.npy", mel)
    whole_file = (tmp_path / "mel.npy").read_bytes()
    (tmp_path / "cut.npy").write_bytes(whole_file[:-100])
    assert "cut.npy is cut or no .npy file" in refusal(network, tmp_path / "cut.npy", "-")
    assert "missing.npy" in refusal(network, tmp_path / "missing.npy", "-")


def test_a_cut_frame_is_refused(network: Path, mel: np.ndarray) -> None:
    told = refusal(network, "-", "-", given=mel.T.tobytes()[:-12])
    assert told == "error: the last frame has 308 of 320 bytes: it was cut"


def test_other_bins_are_refused(network: Path, tmp_path: Path) -> None:
    np.save(tmp_path / "mel.npy", np.zeros((100, 9), np.float32))
    told = refusal(network, tmp_path / "mel.npy", "-")
    assert told.endswith("holds (100, 9), the network takes (80, frames)")


def test_another_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "v.onnx").write_bytes(b"nothing")
    assert "is no ONNX file that runs here" in refusal(tmp_path / "v.onnx", "-", "-")


def test_a_place_that_is_not_there_is_refused(
    network: Path, mel: np.ndarray, tmp_path: Path
) -> None:
    told = refusal(network, "-", tmp_path / "no" / "out.wav", given=mel.T.tobytes())
    assert told.endswith("out.wav cannot be written: No such file or directory")


def test_a_closed_pipe_ends_it(network: Path, mel: np.ndarray) -> None:
    command = [sys.executable, str(PLAYER), str(network), "-", "-"]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(command, **pipes) as player:  # type: ignore[call-overload]
        player.stdout.close()
        player.stdin.write(np.ascontiguousarray(mel).T.tobytes() * 4)
        player.stdin.close()
        assert player.stderr.read().decode().strip() == "error: whoever read the audio is gone"
    assert player.returncode == 1
