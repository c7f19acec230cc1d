"""What a graph's tensors hold on calibration audio."""

from collections.abc import Iterable, Iterator, Mapping
from math import ceil

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from export.precision.calibration import SEGMENT, Calibration, Level, Segment, segments
from export.precision.feeds import batch_of, feed, length_of

MOST = 2**14  # values of a tensor for each SEGMENT of audio

Floats = NDArray[np.floating]
Samples = Mapping[str, NDArray[np.float64]]
"""By name of the tensor, or of the layer that reads it: some values of each channel on each
stretch, (S, C, n)."""


def waves_of(stretches: Level, batch: int) -> Iterator[tuple[Segment, int]]:
    """Stretches in batches, and how many of each are new: the last one is filled up.

    Args:
        stretches: (n, 1, T).
        batch: N.
    """
    for start in range(0, len(stretches), batch):
        new = stretches[start : start + batch]
        yield np.resize(new, (batch, *new.shape[1:])), len(new)


def values(
    model: ir.Model, names: Iterable[str], stretches: Level
) -> Iterator[Mapping[str, Floats]]:
    """What tensors of a graph hold, by name, a stretch at a time, (1, C, ...) each.

    Args:
        model: that onnxruntime runs.
        names: of tensors, inputs included.
        stretches: (n, 1, T), for every waveform.
    """
    import onnxruntime as ort

    told = ir.from_proto(ir.to_proto(model))
    known = {value.name: value for node in told.graph for value in node.outputs}
    outputs = {value.name for value in told.graph.outputs}
    inputs = [value.name for value in told.graph.inputs]
    names = list(dict.fromkeys(names))
    inner = [name for name in names if name not in inputs]
    told.graph.outputs.extend(known[name] for name in inner if name not in outputs)
    content = ir.to_proto(told).SerializeToString()
    session = ort.InferenceSession(content, providers=["CPUExecutionProvider"])
    for wave, new in waves_of(stretches, batch_of(model)):
        given = feed(model, wave)
        held = given | dict(zip(inner, session.run(inner, given) if inner else (), strict=True))
        for item in range(new):
            yield {name: held[name][item : item + 1] for name in names}


def fitting(model: ir.Model, calibration: Calibration) -> Level:
    """Calibration audio at every level, (n, 1, T): in the length of a graph's waveforms.

    Raises:
        HifiError: the audio is refused.
    """
    size = length_of(model)
    found = []
    for level in segments(calibration):
        count = -(-level.size // size)
        found.append(np.resize(level, (count, 1, size)))
    return np.concatenate(found)


def samples(model: ir.Model, names: Iterable[str], stretches: Level) -> Samples:
    """Evenly spread values of each channel, as many of each second of audio."""
    most = MOST * stretches.shape[2] / SEGMENT
    found: dict[str, list[NDArray[np.float64]]] = {}
    for held in values(model, names, stretches):
        for name, (item,) in held.items():
            channels = item.reshape(item.shape[0], -1)
            thin = channels[:, :: ceil(channels.size / most)]
            found.setdefault(name, []).append(thin.astype(np.float64))
    return {name: np.stack(arrays) for name, arrays in found.items()}
