"""The audio that a network makes, as files to listen to: PyTorch's in float64, the runtime's."""

from collections.abc import Mapping, Sequence
from io import BytesIO
from math import prod
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from export import atomic
from export.request import ExportRequest
from hifigan_ref.errors import HifiError
from hifigan_ref.network import BATCH, Sizes

Arrays = Mapping[str, NDArray[np.floating]]


def check_audio(request: ExportRequest) -> None:
    """Raises HifiError for a network of which nothing can be listened to."""
    if not request.signature.audio:
        raise HifiError(f"no output of {request.variant} is audio: leave out --save-wav")


def longest(sizes: Sequence[Sizes]) -> Sizes:
    """Those of which each item takes longest to hear."""
    return max(sizes, key=lambda each: prod(n for name, n in each.items() if name != BATCH))


def save(
    folder: Path, request: ExportRequest, sizes: Sizes, runtime: str, exact: Arrays, found: Arrays
) -> None:
    """Write the first item of every output that is audio, as samples in float32.

    Args:
        folder: of the files: ``generator-v1-audio-float64.wav`` and ``...-onnxruntime.wav``.
        request: whose outputs.
        sizes: that they were computed at.
        runtime: what ran the file.
        exact: what PyTorch computed in float64.
        found: what the file did.

    Raises:
        HifiError: the folder cannot be written.
    """
    files = {}
    for name in request.signature.audio:
        for who, outputs in (("float64", exact), (runtime, found)):
            if name in outputs:
                path = folder / f"{request.variant}-{name}-{who}.wav"
                files[path] = _wav(outputs[name][0], _rate(request, name, sizes, outputs))
    atomic.write_all(files)


def _rate(request: ExportRequest, name: str, sizes: Sizes, outputs: Arrays) -> int:
    """Samples of an item over its seconds; the recipe's where no axis is time."""
    seconds = request.signature.audio_seconds({**sizes, BATCH: 1})
    return round(outputs[name][0].size / seconds) if seconds else request.signature.audio[name].rate


def _wav(samples: NDArray[np.floating], rate: int) -> bytes:
    import soundfile

    content = BytesIO()
    flat = samples.reshape(-1).astype(np.float32)
    soundfile.write(content, flat, rate, format="WAV", subtype="FLOAT")
    return content.getvalue()
