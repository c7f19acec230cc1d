"""Stretches of the calibration audio that judge which layers may be less than float32.

What counts is the worst, so they overlap, and are heard briefly too, between silence: the hardest
for a range that follows an item's loudness. Quiet ones are left out, since a budget is meant for
speech: the file says between which levels it was judged.
"""

from math import ceil, floor
from typing import TYPE_CHECKING

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from export.precision.calibration import (
    FEWEST_SEGMENTS,
    SEGMENT,
    Calibration,
    Level,
    Segment,
    at_gains,
    recordings,
    spread,
)
from export.precision.loudness import Loudness

if TYPE_CHECKING:
    import onnx_ir as ir

OVERLAP = 4  # stretches that a sample is in
QUIETER_DB = 6.0  # than the audio as a whole, and a stretch is left out
MOST = 10  # of SEGMENT samples, at each gain
BRIEF = 4  # in one of so many parts of a stretch there is sound


def stretches(model: "ir.Model", calibration: Calibration) -> tuple[Level, ...]:
    """Those that judge, in the length of a graph's waveforms.

    Returns:
        The same at each gain, then briefly: (n, 1, T) each.

    Raises:
        HifiError: the audio is refused.
    """
    from export.precision.feeds import length_of

    chosen = _chosen(calibration, length_of(model))
    return (*at_gains(chosen), np.stack([_brief(each) for each in chosen]))


def loudness(calibration: Calibration) -> Loudness:
    """Between which levels a budget is judged.

    Raises:
        HifiError: the audio is refused.
    """
    levels = np.concatenate(at_gains(_chosen(calibration, SEGMENT)))
    dbfs = 10 * np.log10(_powers(levels[:, 0]))
    return Loudness(ceil(dbfs.min()), floor(dbfs.max()))


def _chosen(calibration: Calibration, size: int) -> tuple[Segment, ...]:
    """Stretches that are not quiet, evenly spread, (1, T) each."""
    every: list[Segment] = []
    for recording in recordings(calibration):
        whole = np.resize(recording.samples, max(recording.samples.size, size))
        every += list(sliding_window_view(whole, size)[:: -(-size // OVERLAP)])
    powers = _powers(np.stack(every))
    least = powers[powers > 0].mean() * 10 ** (-QUIETER_DB / 10)
    loud = [each for each, power in zip(every, powers, strict=True) if power >= least]
    most = max(FEWEST_SEGMENTS, MOST * SEGMENT // size)
    return spread([each[np.newaxis] for each in loud], most)


def _brief(stretch: Segment) -> Segment:
    """All but its loudest part silent."""
    parts = np.array_split(stretch, BRIEF, axis=1)
    loudest = max(range(BRIEF), key=lambda part: float(np.square(parts[part]).sum()))
    silent = [part if n == loudest else np.zeros_like(part) for n, part in enumerate(parts)]
    return np.concatenate(silent, axis=1)


def _powers(stretches: NDArray[np.float32]) -> NDArray[np.float64]:
    """Mean square of each, (n, T) -> (n,)."""
    powers: NDArray[np.float64] = np.square(stretches, dtype=np.float64).mean(axis=1)
    return powers
