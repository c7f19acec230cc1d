"""Numbers for a network's inputs: speech, log-mels of it, a file's, and seeded noise elsewhere."""

import hashlib
from collections.abc import Sequence
from math import prod

import numpy as np
from numpy.typing import NDArray

from hifigan_ref.audio import Recording
from hifigan_ref.input_files import Files
from hifigan_ref.log_mel import log_mel
from hifigan_ref.network import Port, Sizes

Inputs = dict[str, NDArray[np.float32]]


def example(
    ports: Sequence[Port],
    sizes: Sizes,
    recording: Recording,
    turn: int = 0,
    *,
    loud: bool = False,
    files: Files | None = None,
) -> Inputs:
    """Values for each input.

    Args:
        ports: the inputs.
        sizes: a length for each axis.
        recording: of which waveforms and spectrograms are segments, another one for each item of
            each input.
        turn: other values for each.
        loud: whether a silent segment is an error.
        files: of inputs that get other values, by name.

    Returns:
        An array of each input's shape, by name.

    Raises:
        HifiError: a segment is silent.
    """
    found: Inputs = {}
    shapes = {port.name: port.sized(sizes) for port in ports}
    items = {port.name: _items(port, shapes[port.name]) for port in ports}
    first = turn * sum(items.values())
    cut = recording.sounding if loud else recording.batch
    for port in ports:
        shape, count = shapes[port.name], items[port.name]
        if files and port.name in files:
            found[port.name] = files[port.name].cut(port, shape, turn)
        elif port.recipe is not None:
            waves = cut(count, port.recipe.samples(shape[-1]), first)
            found[port.name] = log_mel(port.recipe, waves).reshape(shape).astype(np.float32)
        elif count:
            found[port.name] = cut(count, shape[-1], first).reshape(shape)
        else:
            found[port.name] = _noise(f"{port.name}/{turn}", shape)
        first += count
    return found


def source_of(ports: Sequence[Port], recording: Recording, files: Files | None = None) -> str:
    """What the values of each input are, in words; of waveforms alone, what they are cut out of."""
    told = {
        port.name: files[port.name].source
        if files and port.name in files
        else _source(port, recording)
        for port in ports
    }
    if set(told.values()) <= {recording.source}:
        return recording.source
    return ", ".join(f"{name}: {source}" for name, source in told.items())


def _source(port: Port, recording: Recording) -> str:
    if port.recipe is not None:
        return f"log-mel of {recording.source}"
    return recording.source if port.role == "waveform" else "seeded noise"


def _items(port: Port, shape: tuple[int, ...]) -> int:
    """Segments of speech that an input is made of."""
    if port.recipe is not None:
        return prod(shape[:-2])
    return prod(shape[:-1]) if port.role == "waveform" else 0


def _noise(name: str, shape: tuple[int, ...]) -> NDArray[np.float32]:
    """Standard normal, the same for the same name."""
    seed = int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big")
    return np.random.default_rng(seed).standard_normal(shape, dtype=np.float32)
