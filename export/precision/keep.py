"""Layers that must stay in float32 for the rest to be less within a budget."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from itertools import count

import numpy as np

from export.builder import shape_of
from export.layers import count_layers
from export.precision.branches import Branch, branches
from export.precision.budget import NotExactError
from export.precision.calibration import Level
from export.precision.feeds import Feed, feed
from export.precision.front import Array, Option, front, search
from export.precision.judges import stretches
from export.precision.layers import Layers, layer_of
from export.precision.material import Material, write
from export.precision.noise import Meter, Noise, contributions, grid, likely_db, likely_db_of
from export.sums import short_of

TRUST_DB = 0.5  # powers of layers do not quite add: what is predicted this much worse is tried
STEP_DB = 0.25  # by which the steps grow from one choice to the next
MANY = 24  # layers in a row, each of which is measured alone on every stretch
FEWEST = 3  # stretches of a level that tell how much they differ

Choice = tuple[str, ...]


def keep(
    material: Material, layers: Layers, budget_db: float, named: Collection[str] = ()
) -> Layers:
    """The same layers, of which some went back to float32.

    Of each branch those layers stay less that do most of its work together, where stretches of the
    calibration audio say that others will not leave the budget: predicted from each layer alone,
    then measured.

    Args:
        material: of the graph.
        layers: as they were asked for.
        budget_db: least SNR of the worst output.
        named: layers that are what they were asked to be, whatever they cost.

    Raises:
        NotExactError: not one layer may be less.
    """
    levels = stretches(material.graph, material.plan.calibration)
    meter = Meter(material.graph, levels)
    if likely_db(meter.noise(write(material, layers))) >= budget_db:
        return layers
    parts = contributions(_predicting(meter, material, layers, levels), material, layers)
    flops = flops_of(material, layers, feed(material.graph, levels[0][:1]))
    left = {
        branch: choices(branch, parts, flops, budget_db, named)
        for branch in branches(material.graph.graph, parts)
    }
    taken = {branch: next(choices) for branch, choices in left.items()}
    while True:
        noise = meter.noise(write(material, _only(layers, taken)))
        missed = [
            each for each in _missed(noise, taken, budget_db) if set(taken[each]) - set(named)
        ]
        if not missed:
            break
        taken |= {branch: next(left[branch]) for branch in missed}
    if not any(taken.values()):
        best = max(map(likely_db, parts.values()))
        raise NotExactError(
            f"{budget_db:g} dB leaves every layer in float32, since one alone in less reaches "
            f"{short_of(best, budget_db)} dB at best where it is likely to be worst; nothing "
            "was written: leave out --precision, or ask for less with --min-snr"
        )
    return _only(layers, taken)


def fewer(levels: Sequence[Level], longest: int) -> list[Level]:
    """Stretches for predictions about so many layers in a row: as many in all as for ``MANY``."""
    step = -(-longest // MANY)
    return [level[:: min(step, max(1, len(level) // FEWEST))] for level in levels]


def _predicting(meter: Meter, material: Material, layers: Layers, levels: Sequence[Level]) -> Meter:
    """What each layer alone is measured with: every one of a deep network on fewer stretches."""
    less = [name for name, precision in layers.items() if precision != "fp32"]
    longest = max(len(branch.layers) for branch in branches(material.graph.graph, less))
    return meter if longest <= MANY else Meter(material.graph, fewer(levels, longest))


def flops_of(material: Material, layers: Layers, given: Feed) -> dict[str, int]:
    """Of each layer's convolutions, for inputs of some shapes."""
    found = dict.fromkeys(layers, 0)
    sizes = {
        extent: length
        for value in material.graph.graph.inputs
        for extent, length in zip(shape_of(value), given[value.name or ""].shape, strict=True)
        if isinstance(extent, str)
    }
    for each in count_layers(material.graph, sizes):
        layer = layer_of(each.name, layers)
        if layer is not None:
            found[layer] += each.flops
    return found


def choices(
    branch: Branch,
    parts: Mapping[str, Noise],
    flops: Mapping[str, int],
    budget_db: float,
    named: Collection[str],
) -> Iterator[Choice]:
    """Layers of a branch that may be less together, most work first; those named alone last.

    Each is predicted to be more exact than all before it, which failed when they were measured: by
    more and more, since the graphs that are measured must stay few. The most exact is among them.
    """
    heard = {
        name: {place: power for place, power in parts[name].items() if place[0] in branch.outputs}
        for name in branch.layers
    }
    shape = grid(heard[branch.layers[0]]).shape
    powers = {name: grid(noise).ravel() for name, noise in heard.items()}

    def snr_db(many: Array) -> Array:
        return likely_db_of(many.reshape(-1, *shape))

    always = tuple(name for name in branch.layers if name in named)
    base = sum((powers[name] for name in always), np.zeros(powers[branch.layers[0]].size))
    free = [
        [Option(name, flops[name], powers[name])] for name in branch.layers if name not in named
    ]
    least = budget_db - TRUST_DB
    found = [e for e in front(search(base, free, snr_db, least)) if e.keys and e.snr_db >= least]
    steps = count(step=STEP_DB)
    for each in found:
        if each.snr_db >= least or each is found[-1]:
            yield (*always, *each.keys)
            least = each.snr_db + next(steps)
    yield always


def _missed(noise: Noise, taken: Mapping[Branch, Choice], budget_db: float) -> list[Branch]:
    """Branches with layers in less, of which an output leaves the budget."""
    return [
        branch
        for branch, choice in taken.items()
        if choice
        and likely_db({p: power for p, power in noise.items() if p[0] in branch.outputs})
        < budget_db
    ]


def _only(layers: Layers, taken: Mapping[Branch, Choice]) -> Layers:
    back = {name for branch, choice in taken.items() for name in set(branch.layers) - set(choice)}
    return {name: "fp32" if name in back else precision for name, precision in layers.items()}
