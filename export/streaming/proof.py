"""A chunk file beside the whole network in float64: every chunk of signals of several lengths."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import inf

import numpy as np

from export.request import ExportRequest
from export.stream_record import Streamed
from export.streaming.calls import Array, Arrays, Cut, Runs, outputs, together
from export.sums import power_of
from export.torch_outputs import example_inputs
from hifigan_ref.errors import HifiError
from hifigan_ref.network import BATCH

ITEMS = 2


@dataclass(frozen=True)
class Worst:
    """The worst chunk.

    Attributes:
        output: its name.
        snr_db: of the whole signal's power over the chunk's mean square error, dB.
        length: of the signal.
        first: where the chunk begins.
    """

    output: str = ""
    snr_db: float = inf
    length: int = 0
    first: int = 0


def worst_chunk(
    files: Sequence[Runs],
    cut: Cut,
    request: ExportRequest,
    whole_of: Callable[[Arrays], Arrays],
    signals: Sequence[int],
    apart: bool = True,
) -> Worst:
    """Of every chunk of a long signal and of short ones, which begin and end inside a chunk.

    Outside of a signal stands noise, so that a file that looks there is seen.

    Args:
        files: the same file in each runtime.
        cut: what it takes and gives.
        request: of the whole network.
        whole_of: outputs of the whole network in float64.
        signals: their lengths.
        apart: whether each chunk is held on its own, or all of a signal together.

    Raises:
        HifiError: a runtime fails, or an output of the whole is longer than its chunks.
    """
    worst = Worst()
    for length in signals:
        sizes = {**request.sized({BATCH: ITEMS}), cut.stream.unit: length}  # a fixed batch stays
        inputs = example_inputs(request, sizes)
        whole = whole_of(inputs)
        for file in files:
            chunks = outputs(file, cut, request, inputs, length)
            for first, found in chunks if apart else [(0, together(chunks, cut))]:
                for name, array in whole.items():
                    entry = _held(name, array, found[name], cut, length, first)
                    worst = min(worst, entry, key=lambda each: each.snr_db)
    return worst


def lengths(stream: Streamed, request: ExportRequest, least: int = 0) -> tuple[int, ...]:
    """Of signals: one with inner chunks, and those that are shorter than what surrounds them.

    Args:
        stream: what the file says of itself.
        request: of the whole network.
        least: length of the first.
    """
    smallest = request.signature.axes[stream.unit].smallest
    long = max(sum(stream.needed) + 3 * stream.chunk + 1, least)
    wanted = (long, stream.chunk + 1, stream.needed[0] // 2 + 1, 2, 1)
    return tuple(dict.fromkeys(max(each, smallest) for each in wanted))


def _held(name: str, whole: Array, found: Array, cut: Cut, length: int, first: int) -> Worst:
    """A chunk beside its part of the whole, along time."""
    axis, (times, by) = cut.axes[name], cut.stream.factors[name]
    if whole.shape[axis] * by > -(-length * times // by) * by:
        raise HifiError(
            f"{name} has {whole.shape[axis]} elements for {length} {cut.stream.unit}, more than "
            f"its chunks of {times}/{by} each: cut the network's output to that"
        )
    begin = first * times // by
    part = whole.take(range(begin, min(begin + found.shape[axis], whole.shape[axis])), axis)
    if not part.size:
        return Worst()
    if part.shape[axis] > found.shape[axis]:
        return Worst(name, -inf, length, first)
    kept = found.take(range(part.shape[axis]), axis)
    error = float(np.mean(np.square(kept - part)))
    power = power_of(whole)
    ratio = 10 * np.log10(power / error) if error and power else inf if not error else -inf
    return Worst(name, float(ratio) if np.isfinite(error) else -inf, length, first)
