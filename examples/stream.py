"""Play a mel spectrogram in chunks: onnxruntime and NumPy alone, no PyTorch.

    hifi-export onnx --network generator-v1 --checkpoint g_02500000 --chunk 20 --out v1.onnx
    (or with --stateful: nothing is computed twice)
    python examples/stream.py v1.onnx mel.npy speech.wav
    make_frames | python examples/stream.py v1.onnx - - | aplay -f S16_LE -r 22050

Frames come from a .npy file, (bins, frames) or (1, bins, frames), or as raw little-endian float32
from standard input, frame by frame. Audio goes to a 16-bit wav, or as raw 16-bit samples to
standard output, as soon as a chunk and the frames behind it are there.
"""

import argparse
import json
import os
import sys
import wave
from collections.abc import Iterator
from typing import IO

import numpy as np
import onnxruntime as ort


def frames_of(source: str, bins: int) -> Iterator[np.ndarray]:
    """Blocks of frames, (bins, n), as they arrive."""
    if source == "-":
        while block := sys.stdin.buffer.read(4 * bins):
            if len(block) < 4 * bins:
                sys.exit(f"error: the last frame has {len(block)} of {4 * bins} bytes: it was cut")
            yield np.frombuffer(block, "<f4").reshape(bins, 1)
        return
    try:
        mel = np.load(source)
    except (OSError, ValueError, EOFError) as error:
        sys.exit(f"error: {source} is cut or no .npy file: {error}")
    mel = mel[0] if mel.ndim == 3 and len(mel) == 1 else mel
    if mel.ndim != 2 or len(mel) != bins:
        sys.exit(f"error: {source} holds {mel.shape}, the network takes ({bins}, frames)")
    yield mel.astype(np.float32)


def chunks_of(blocks: Iterator[np.ndarray], bins: int, stream: dict) -> Iterator[tuple]:
    """Windows of the file's length, frames in front of each chunk, and those left to the end."""
    left, chunk, right = (stream[key] for key in ("left", "chunk", "right"))
    flushed = -(-late(stream) * stream["frames"] // stream["samples"])
    held, first, total = np.zeros((bins, left), np.float32), 0, 0  # what lies outside is not read
    for block in blocks:
        held, total = np.concatenate((held, block), 1), total + block.shape[1]
        while held.shape[1] >= left + chunk + right:
            yield held[:, : left + chunk + right], first, total - first
            held, first = held[:, chunk:], first + chunk
    while first < total + flushed:  # the end is known now: what follows it is not read
        window = np.zeros((bins, left + chunk + right), np.float32)
        window[:, : held.shape[1]] = held[:, : window.shape[1]]
        yield window, first, total - first
        held, first = held[:, chunk:], first + chunk


def audio_of(session: ort.InferenceSession, blocks: Iterator[np.ndarray], stream: dict):
    """Parts of the audio, (n,), each as soon as its frames are there."""
    mel, *others = session.get_inputs()
    names = [each.name for each in session.get_outputs()]
    states = {s.name: zeros(s) for s in others if s.name.startswith("state_")}
    for window, past, remaining in chunks_of(blocks, mel.shape[1], stream):
        ends = {"remaining": np.array([remaining])}
        if not states:
            ends["past"] = np.array([past])
        made = session.run(None, {mel.name: window[None], **ends, **states})
        found = dict(zip(names, made, strict=True))
        states = {name: found[f"next_{name}"] for name in states}
        begin, end = (n * stream["samples"] // stream["frames"] for n in (past, remaining))
        yield found[names[0]].reshape(-1)[max(0, late(stream) - begin) : end + late(stream)]


def rate_of(stream: dict) -> int:
    """Of the audio, Hz; 0 where nobody said how long a frame is."""
    frame_s = stream["unit_s"]
    return round(stream["samples"] / stream["frames"] / frame_s) if frame_s else 0


def late(stream: dict) -> int:
    """Samples by which the audio follows its frames in a file with states."""
    return next(iter((stream["delays"] or {"": 0}).values()))


def zeros(state: ort.NodeArg) -> np.ndarray:
    """What a signal begins with."""
    return np.zeros((1, *state.shape[1:]), np.int64 if "int64" in state.type else np.float32)


def open_file(path: str) -> tuple[ort.InferenceSession, dict]:
    """The network, and what it says of its chunks."""
    try:
        session = ort.InferenceSession(path, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime has types of its own
        sys.exit(f"error: {path} is no ONNX file that runs here: {error}")
    held = session.get_modelmeta().custom_metadata_map.get("hifi-export.manifest", "{}")
    stream = json.loads(held).get("stream")
    others = {each.name for each in session.get_inputs()[1:] if not each.name.startswith("state_")}
    if not stream or not others <= {"past", "remaining"}:
        sys.exit(f"error: {path} plays no chunks of frames: export it with --chunk 20")
    samples, frames = next(iter(stream["factors"].values()))
    return session, {**stream, "samples": samples, "frames": frames}


def main() -> None:
    """Frames in, audio out."""
    parser = argparse.ArgumentParser(description="Play a mel spectrogram in chunks.")
    parser.add_argument("network", help="a file of hifi-export onnx --chunk")
    parser.add_argument("mel", help=".npy, or - for raw float32 frames on standard input")
    parser.add_argument("audio", help=".wav, or - for raw 16-bit samples on standard output")
    parser.add_argument("--rate", type=int, help="of the audio, Hz, where the file does not say it")
    typed = parser.parse_args()
    session, stream = open_file(typed.network)
    rate = typed.rate or rate_of(stream)
    if typed.audio != "-" and not rate:
        sys.exit(f"error: {typed.network} does not say its rate: add one, as in --rate 22050")
    parts = audio_of(session, frames_of(typed.mel, session.get_inputs()[0].shape[1]), stream)
    shorts = ((32767 * part.clip(-1, 1)).astype("<i2").tobytes() for part in parts)
    try:
        if typed.audio == "-":
            write(sys.stdout.buffer, shorts)
            return
        with open(typed.audio, "wb") as raw, wave.open(raw, "wb") as file:
            file.setparams((1, 2, rate, 0, "NONE", ""))
            for part in shorts:
                file.writeframes(part)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit("error: whoever read the audio is gone")
    except OSError as error:
        sys.exit(f"error: {typed.audio} cannot be written: {error.strerror}")


def write(out: IO[bytes], parts: Iterator[bytes]) -> None:
    """Each part at once."""
    for part in parts:
        out.write(part)
        out.flush()


if __name__ == "__main__":
    main()
