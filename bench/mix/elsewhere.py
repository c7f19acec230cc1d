"""How exact combinations of layers are on other speech, which a runtime was not run on.

Stretches of the calibration audio judge it, in float32 that rounds where the runtime would, by the
rule that also decides which layers of int8 stay in float32.
"""

from collections.abc import Sequence

import numpy as np

from bench.mix.blocks import Assigned, Part
from bench.mix.predict import Powers
from export.precision.front import Array
from export.precision.judges import stretches
from export.precision.layers import Layers
from export.precision.material import Material, write
from export.precision.noise import Meter, Noise, grid, likely_db, likely_db_of
from hifigan_ref.errors import HifiError


class Elsewhere:
    """A member's graph, emulated.

    Args:
        material: of the graph.
        plain: every layer, in the base's precision.
        parts: blocks of layers that may have another one, with it.
    """

    def __init__(self, material: Material, plain: Layers, parts: Sequence[Part]) -> None:
        self._material = material
        self._plain = plain
        self._meter = Meter(material.graph, stretches(material.graph, material.plan.calibration))
        self._blocks = tuple(dict.fromkeys(block for block, _ in parts))
        base = grid(self._noise({}))
        added: dict[Part, Array] = {}
        for part in parts:
            try:
                added[part] = grid(self._noise(dict.fromkeys(*part))) - base
            except HifiError:
                continue  # its weights are beyond the precision
        self.powers = Powers(base, added)

    def predicted_db(self, layers: Assigned) -> float:
        """SNR that other speech will hardly leave, each block known alone: their powers add."""
        parts = [(each, layers[each[0]]) for each in self._blocks if each[0] in layers]
        added = self.powers.added
        if not added.keys() >= set(parts):
            return -np.inf
        powers = self.powers.base + sum(added[part] for part in parts)
        return float(likely_db_of(np.maximum(powers, 0.0)))

    def db(self, layers: Assigned) -> float:
        """The same of the graph as a whole."""
        return likely_db(self._noise(layers))

    def _noise(self, layers: Assigned) -> Noise:
        return self._meter.noise(write(self._material, {**self._plain, **layers}))
