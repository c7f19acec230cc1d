"""How exact combinations of layers are on other speech, which a runtime was not run on.

Stretches of the calibration audio judge it, in float32 that rounds where the runtime would, by the
rule that also decides which layers of int8 stay in float32.
"""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from bench.mix.predict import Assigned
from export.precision.budget import GraphPrecision
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
        options: layers that may have another one, with it.
    """

    def __init__(
        self, material: Material, plain: Layers, options: Iterable[tuple[str, GraphPrecision]]
    ) -> None:
        self._material = material
        self._plain = plain
        self._meter = Meter(material.graph, stretches(material.graph, material.plan.calibration))
        self._base = grid(self._noise({}))
        self._more: dict[tuple[str, GraphPrecision], NDArray[np.float64]] = {}
        for name, precision in options:
            try:
                self._more[name, precision] = grid(self._noise({name: precision})) - self._base
            except HifiError:
                continue  # its weights are beyond the precision

    def predicted_db(self, layers: Assigned) -> float:
        """SNR that other speech will hardly leave, each layer known alone: their powers add."""
        if not self._more.keys() >= layers.items():
            return -np.inf
        powers = self._base + sum(self._more[part] for part in layers.items())
        return likely_db_of(np.maximum(powers, 0.0))

    def db(self, layers: Assigned) -> float:
        """The same of the graph as a whole."""
        return likely_db(self._noise(layers))

    def _noise(self, layers: Assigned) -> Noise:
        return self._meter.noise(write(self._material, {**self._plain, **layers}))
