"""What a graph's tensors hold on calibration audio."""

from collections.abc import Iterable, Iterator, Mapping, Sequence

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from export.builder import shape_of
from export.precision.calibration import SEGMENT, Calibration, Segment, segments

MOST = 2**14  # values of a tensor and segment

Floats = NDArray[np.floating]
Samples = Mapping[str, NDArray[np.float64]]
"""By name of the tensor, or of the layer that reads it: some values of each channel, (C, n)."""


def values(
    model: ir.Model, names: Iterable[str], waves: Sequence[Segment]
) -> Iterator[Mapping[str, Floats]]:
    """What tensors of a graph hold, by name, a wave at a time.

    Args:
        model: that onnxruntime runs.
        names: of tensors, inputs included.
        waves: (N, 1, T) each, for every input.
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
    for wave in waves:
        feed = dict.fromkeys(inputs, wave)
        arrays = dict(zip(inner, session.run(inner, feed) if inner else (), strict=True))
        yield {name: feed[name] if name in feed else arrays[name] for name in names}


def fitting(model: ir.Model, calibration: Calibration) -> tuple[Segment, ...]:
    """Calibration audio in the shape of a graph's inputs: (1, 1, SEGMENT) where axes are dynamic.

    Raises:
        HifiError: the audio is refused.
    """
    batch, _, length = shape_of(model.graph.inputs[0])
    shape = (
        batch if isinstance(batch, int) else 1,
        1,
        length if isinstance(length, int) else SEGMENT,
    )
    heard = np.concatenate(segments(calibration), axis=None)
    each = shape[0] * shape[2]
    count = max(1, heard.size // each)
    return tuple(np.resize(heard, count * each).reshape(count, *shape))


def samples(model: ir.Model, names: Iterable[str], waves: Sequence[Segment]) -> Samples:
    """Evenly spread values of each channel."""
    found: dict[str, list[NDArray[np.float64]]] = {}
    for held in values(model, names, waves):
        for name, array in held.items():
            channels = np.moveaxis(array, 1, 0).reshape(array.shape[1], -1)
            thin = channels[:, :: -(-channels.size // MOST)]
            found.setdefault(name, []).append(thin.astype(np.float64))
    return {name: np.concatenate(arrays, axis=1) for name, arrays in found.items()}
