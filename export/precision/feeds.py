"""What a graph's inputs are given where audio decides: speech, its log-mels, noise elsewhere."""

import zlib

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from export.builder import Extent, shape_of
from export.precision.calibration import SEGMENT, Segment
from export.spectrograms import recipe_of
from hifigan_ref.log_mel import log_mel
from hifigan_ref.mel import Mel

ELSE = 64  # elements of a dynamic axis that is no time of the audio

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
    """Samples that a graph's inputs are made of; those of a segment where their number is dynamic.

    Of a graph without waveforms and spectrograms too.
    """
    for value in model.graph.inputs:
        recipe, length = recipe_of(value), shape_of(value)[-1]
        if isinstance(length, int) and (recipe or is_waveform(value)):
            return recipe.samples(length) if recipe else length
    return SEGMENT


def batch_of(model: ir.Model) -> int:
    """N of a graph's inputs; 1 where it is dynamic."""
    batch = shape_of(model.graph.inputs[0])[0]
    return batch if isinstance(batch, int) else 1


def feed(model: ir.Model, wave: Segment) -> Feed:
    """The inputs of a graph for segments of audio, (N, 1, T): the audio, or log-mels of it.

    What is neither gets standard normal noise, which the segments' own numbers seed.
    """
    inputs = {value: shape_of(value) for value in model.graph.inputs}
    known = {
        v: _mel(recipe, shape[-1], wave) for v, shape in inputs.items() if (recipe := recipe_of(v))
    }
    lengths = {inputs[value][-1]: mel.shape[-1] for value, mel in known.items()}
    for value, shape in inputs.items():
        if value not in known and is_waveform(value) and shape[-1] not in lengths:
            known[value] = wave
    lengths |= {inputs[value][-1]: array.shape[-1] for value, array in known.items()}
    found: Feed = {}
    for value, shape in inputs.items():
        name = value.name or ""
        rest = (each if isinstance(each, int) else lengths.get(each, ELSE) for each in shape[1:])
        found[name] = known[value] if value in known else _noise(name, wave, (len(wave), *rest))
    return found


def _mel(recipe: Mel, length: Extent, wave: Segment) -> NDArray[np.float32]:
    """Of so many frames; of as many as there is audio for where their number is dynamic."""
    frames = length if isinstance(length, int) else max(1, recipe.frames(wave.shape[2]))
    place = np.arange(recipe.samples(frames)) % wave.shape[2]
    return log_mel(recipe, wave[:, 0, place]).astype(np.float32)


def _noise(name: str, wave: Segment, shape: tuple[int, ...]) -> NDArray[np.float32]:
    seeds = [zlib.crc32(name.encode() + item.tobytes()) for item in wave]
    items = [np.random.default_rng(s).standard_normal(shape[1:], np.float32) for s in seeds]
    return np.stack(items)
