"""Layers that must stay in float32 for the rest to be less within a budget."""

from export.layers import count_layers
from export.precision.layers import Layers, layer_of
from export.precision.material import Material, write
from export.precision.noise import Meter, contributions, together, worst_db
from export.precision.samples import fitting
from export.verify import NotExactError

MARGIN_DB = 1.5  # other speech is worse than the calibration's worst by less than this


def keep(material: Material, layers: Layers, budget_db: float) -> Layers:
    """The same layers, of which some went back to float32.

    One by one, the one that takes most noise from the worst output for its FLOPs, until no
    segment of the calibration audio leaves the budget with a margin.

    Args:
        material: of the graph.
        layers: as they were asked for.
        budget_db: least SNR of the worst output.

    Raises:
        NotExactError: not one layer may be less.
    """
    wanted = budget_db + MARGIN_DB
    waves = fitting(material.graph, material.plan.calibration)
    meter = Meter(material.graph, waves)
    if worst_db(meter.noise(write(material, layers))) >= wanted:
        return layers
    parts = contributions(meter, material, layers)
    best = max(map(worst_db, parts.values()))
    flops = flops_of(material, layers, waves[0].shape)
    while parts and worst_db(together(parts)) < wanted:
        noise = together(parts)
        place = max(noise, key=lambda each: noise[each])
        del parts[max(parts, key=lambda name: parts[name][place] / flops[name])]
    if not parts:
        raise NotExactError(
            f"{budget_db:g} dB leaves every layer in float32, since one alone in less reaches "
            f"{best - MARGIN_DB:.1f} dB at best; nothing was written: leave out --precision, or "
            "ask for less with --min-snr"
        )
    return {name: precision if name in parts else "fp32" for name, precision in layers.items()}


def flops_of(material: Material, layers: Layers, shape: tuple[int, ...]) -> dict[str, int]:
    """Of each layer's convolutions, for inputs of a shape (N, 1, T)."""
    found = dict.fromkeys(layers, 0)
    for each in count_layers(material.graph, shape[0], shape[2]):
        layer = layer_of(each.name, layers)
        if layer is not None:
            found[layer] += each.flops
    return found
