"""Stretches of the calibration audio that judge which layers may be less than float32.

What counts is the worst, so there are more of them than calibrate: they overlap. Quiet ones are
left out, since a budget is meant for speech.
"""

from typing import TYPE_CHECKING

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from export.builder import shape_of
from export.precision.calibration import (
    SEGMENT,
    Calibration,
    Segment,
    recordings,
    segments,
    spread,
)

if TYPE_CHECKING:
    import onnx_ir as ir

OVERLAP = 4  # stretches that a sample is in
QUIETER_DB = 6.0  # than what calibrates, and a stretch is left out
MOST = 24


def stretches(model: "ir.Model", calibration: Calibration) -> tuple[Segment, ...]:
    """In the shape of a graph's inputs: (1, 1, SEGMENT) where axes are dynamic.

    Raises:
        HifiError: the audio is refused.
    """
    batch, _, length = shape_of(model.graph.inputs[0])
    count = batch if isinstance(batch, int) else 1
    size = length if isinstance(length, int) else SEGMENT
    level = float(np.square(segments(calibration), dtype=np.float64).mean())
    every: list[Segment] = []
    powers: list[float] = []
    for recording in recordings(calibration):
        whole = np.resize(recording.samples, max(recording.samples.size, size))
        windows = sliding_window_view(whole, size)[:: -(-size // OVERLAP)]
        every += list(windows)
        powers += list(np.einsum("ns,ns->n", windows, windows) / size)
    least = min(level * 10 ** (-QUIETER_DB / 10), max(powers))
    chosen = spread(
        [each for each, power in zip(every, powers, strict=True) if power >= least], MOST
    )
    return tuple(np.resize(chosen, (max(1, len(chosen) // count), count, 1, size)))
