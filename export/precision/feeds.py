"""What a graph's inputs are given where audio decides: speech, and noise where none fits."""

import zlib

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from export.builder import Extent, shape_of
from export.precision.calibration import SEGMENT, Segment

ELSE = 64  # elements of a dynamic axis that is not the time of a waveform

Feed = dict[str, NDArray[np.float32]]


def is_waveform(value: ir.Value) -> bool:
    """Whether an input is (N, 1, T)."""
    shape = shape_of(value)
    return len(shape) == 3 and shape[1] == 1 and shape[2] != 1


def takes_speech(model: ir.Model) -> bool:
    """Whether an input of a graph is a waveform; calibration audio decides nothing elsewhere."""
    return any(map(is_waveform, model.graph.inputs))


def hears(model: ir.Model) -> bool:
    """Whether items of waveforms are all that a graph's convolutions read.

    What they read grows with the loudness of the item, which another batch or input does not have.
    """
    inputs = model.graph.inputs
    if not all(map(is_waveform, inputs)):
        return False
    read = [node.inputs[0] for node in model.graph if node.op_type == "Conv"]
    batches = {shape_of(value)[0] for value in (*inputs, *read) if value is not None}
    return joined(model.graph) or len(batches) == 1


def joined(graph: ir.Graph) -> bool:
    """Whether inputs are one batch, one behind the other, and nothing else."""
    readers = [use.node for value in graph.inputs for use in value.uses()]
    return len(graph.inputs) > 1 and all(
        node.op_type == "Concat" and node.attributes.get_int("axis", 1) == 0
        for node in readers
        if node.op_type != "Shape"
    )


def length_of(model: ir.Model) -> int:
    """T of a graph's waveforms; that of a segment where it is dynamic, or where there is none."""
    waves = [shape_of(value)[2] for value in model.graph.inputs if is_waveform(value)]
    return next((length for length in waves if isinstance(length, int)), SEGMENT)


def batch_of(model: ir.Model) -> int:
    """N of a graph's inputs; 1 where it is dynamic."""
    batch = shape_of(model.graph.inputs[0])[0]
    return batch if isinstance(batch, int) else 1


def feed(model: ir.Model, wave: Segment) -> Feed:
    """The inputs of a graph for segments of audio, (N, 1, T).

    What is no waveform gets standard normal noise, which the segments' own numbers seed.
    """
    times = {shape_of(v)[2]: wave.shape[2] for v in model.graph.inputs if is_waveform(v)}
    found: Feed = {}
    for value in model.graph.inputs:
        name = value.name or ""
        if is_waveform(value):
            found[name] = wave
        else:
            shape = [_length(extent, times) for extent in shape_of(value)]
            found[name] = _noise(name, wave, (len(wave), *shape[1:]))
    return found


def _length(extent: Extent, times: dict[Extent, int]) -> int:
    return extent if isinstance(extent, int) else times.get(extent, ELSE)


def _noise(name: str, wave: Segment, shape: tuple[int, ...]) -> NDArray[np.float32]:
    seeds = [zlib.crc32(name.encode() + item.tobytes()) for item in wave]
    items = [np.random.default_rng(s).standard_normal(shape[1:], np.float32) for s in seeds]
    return np.stack(items)
