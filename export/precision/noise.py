"""How much a graph's outputs move when layers lose precision, on calibration audio.

Errors of different layers are nearly independent, so that their powers add.
"""

from collections.abc import Iterator, Mapping, Sequence
from itertools import zip_longest

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from export.precision.branches import branches
from export.precision.calibration import GAINS_DB, Level
from export.precision.feeds import batch_of, feed
from export.precision.layers import Layers
from export.precision.material import Material, write
from export.precision.samples import waves_of

Place = tuple[str, int, int]
"""Name of an output, number of a level, number of a stretch at that level."""

Noise = Mapping[Place, float]
"""Power of an output's error over that of the output, by where it was seen."""

TINY = 1e-300
DEVIATIONS = 3.5
BRIEF_MARGIN_DB = 1.0  # other voices came out up to 0.9 dB below the worst brief sound


class Meter:
    """Runs graphs on the same stretches, in float32 that rounds where they do.

    Args:
        exact: the graph in float32.
        levels: stretches of each level, (n, 1, T), for every waveform.
    """

    def __init__(self, exact: ir.Model, levels: Sequence[Level]) -> None:
        self._levels = levels
        self._expected = dict(self._run(exact))

    def noise(self, model: ir.Model) -> Noise:
        """Of a graph with the same outputs."""
        return {place: power(self._expected[place], found) for place, found in self._run(model)}

    def _run(self, model: ir.Model) -> Iterator[tuple[Place, NDArray[np.float32]]]:
        from export.precision.emulate import open_on_cpu

        session = open_on_cpu(ir.to_proto(model).SerializeToString())
        names = [output.name for output in session.get_outputs()]
        for level, stretches in enumerate(self._levels):
            number = 0
            for wave, new in waves_of(stretches, batch_of(model)):
                outputs = session.run(None, feed(model, wave))
                for name, array in zip(names, outputs, strict=True):
                    for item in range(new):
                        yield (name, level, number + item), array[item]
                number += new


def power(exact: NDArray[np.floating], found: NDArray[np.floating]) -> float:
    """Of the error, over that of the signal."""
    error = np.square(found - exact, dtype=np.float64).sum()
    return float(error / max(np.square(exact, dtype=np.float64).sum(), TINY))


def contributions(meter: Meter, material: Material, layers: Layers) -> dict[str, Noise]:
    """Noise of each layer that is not in float32, all the others of its branch in float32.

    Branches do not hear each other: a layer of each is measured in the same pass.
    """
    less = [name for name, precision in layers.items() if precision != "fp32"]
    apart = branches(material.graph.graph, less)
    parts: dict[str, Noise] = {}
    for side_by_side in zip_longest(*(branch.layers for branch in apart)):
        alone = {name: layers[name] for name in side_by_side if name is not None}
        noise = meter.noise(write(material, {**dict.fromkeys(layers, "fp32"), **alone}))
        for name, branch in zip(side_by_side, apart, strict=True):
            if name is not None:
                parts[name] = {
                    place: power if place[0] in branch.outputs else 0.0
                    for place, power in noise.items()
                }
    return {name: parts[name] for name in layers if name in parts}


def worst_db(noise: Noise) -> float:
    """SNR of the worst output in its worst stretch, dB."""
    largest = max(noise.values())
    return float(-10 * np.log10(largest)) if largest > 0 else float("inf")


def likely_db(noise: Noise) -> float:
    """SNR that other stretches like these will hardly leave, of the worst output, dB.

    Some standard deviations below the mean over the stretches of the level that is worst so, and
    no more than the worst of them.
    """
    return float(likely_db_of(grid(noise)))


def likely_db_of(powers: NDArray[np.float64]) -> NDArray[np.float64]:
    """The same of arrays, (..., outputs, levels, stretches) -> (...)."""
    ratios = -10 * np.log10(np.maximum(powers, TINY))
    usual, brief = np.split(ratios, [len(GAINS_DB)], axis=-2)
    low = usual.mean(axis=-1) - DEVIATIONS * usual.std(axis=-1)
    # brief sounds are too different from each other for a mean
    shortest = brief.min(axis=(-3, -2, -1), initial=np.inf) - BRIEF_MARGIN_DB
    lowest = np.minimum(low.min(axis=(-2, -1)), usual.min(axis=(-3, -2, -1)))
    found: NDArray[np.float64] = np.minimum(lowest, shortest)
    return found


def grid(noise: Noise) -> NDArray[np.float64]:
    """Powers, (outputs, levels, stretches)."""
    outputs, levels, stretches = (dict.fromkeys(each) for each in zip(*noise, strict=True))
    return np.array(
        [[[noise[o, level, s] for s in stretches] for level in levels] for o in outputs]
    )


def together(parts: Mapping[str, Noise]) -> Noise:
    """Of several layers, each known alone."""
    places = next(iter(parts.values()), {})
    return {place: sum(part[place] for part in parts.values()) for place in places}
