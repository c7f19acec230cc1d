"""Numbers for a network's inputs: speech where they are waveforms, seeded noise elsewhere."""

import hashlib
from collections.abc import Sequence
from math import prod

import numpy as np
from numpy.typing import NDArray

from hifigan_ref.audio import Recording
from hifigan_ref.network import Port, Sizes

Inputs = dict[str, NDArray[np.float32]]


def example(
    ports: Sequence[Port], sizes: Sizes, recording: Recording, turn: int = 0, *, loud: bool = False
) -> Inputs:
    """Values for each input.

    Args:
        ports: the inputs.
        sizes: a length for each axis.
        recording: whose segments waveforms are, another one for each item of each input.
        turn: other values for each.
        loud: whether a silent segment is an error.

    Returns:
        An array of each input's shape, by name.

    Raises:
        HifiError: a segment is silent.
    """
    found: Inputs = {}
    shapes = {port.name: port.sized(sizes) for port in ports}
    waves = [port.name for port in ports if port.role == "waveform"]
    step = sum(prod(shapes[name][:-1]) for name in waves)
    first = turn * step
    for port in ports:
        shape = shapes[port.name]
        if port.name in waves:
            count = prod(shape[:-1])
            cut = recording.sounding if loud else recording.batch
            found[port.name] = cut(count, shape[-1], first).reshape(shape)
            first += count
        else:
            found[port.name] = _noise(f"{port.name}/{turn}", shape)
    return found


def _noise(name: str, shape: tuple[int, ...]) -> NDArray[np.float32]:
    """Standard normal, the same for the same name."""
    seed = int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big")
    return np.random.default_rng(seed).standard_normal(shape, dtype=np.float32)
