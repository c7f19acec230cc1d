"""Which combinations of layers are worth measuring, from each block of them alone.

1. Errors of layers are nearly independent: their powers add.
2. Times do not add, because neighbours that agree need no conversion: what each block gains alone
   is scaled so that all of them together gain what they were measured to gain together.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import islice
from math import isfinite

import numpy as np

from bench.mix.blocks import Assigned, Block, Part
from bench.mixing_record import Trial
from export.precision.budget import GRAPH_PRECISIONS, GraphPrecision
from export.precision.front import Array, Option, Selection, search
from export.precision.noise import likely_db_of

FASTEST = 8  # combinations within the budget
SLACK_DB = 0.5  # by which a prediction may miss the budget and still be measured
STEP_DB = 3.0  # between points of the front
TINY = 1e-30


@dataclass(frozen=True, eq=False)
class Powers:
    """Of errors over signals on other speech, (outputs, levels, stretches) each.

    Attributes:
        base: of the base.
        added: what each part adds to it.
    """

    base: Array
    added: Mapping[Part, Array]


def worth_trying(
    blocks: Sequence[Block], trials: Sequence[Trial], min_snr_db: float, elsewhere: Powers
) -> list[Assigned]:
    """Combinations that were not measured yet.

    Args:
        blocks: of layers that may lose precision.
        trials: the base, each block alone in each precision, all blocks in each precision.
        min_snr_db: the budget, dB.
        elsewhere: errors on other speech; parts that are not there are not chosen.
    """
    alone = {
        part: trial for part, trial in _alone(blocks, trials).items() if part in elsewhere.added
    }
    gains = _gains(blocks, trials, alone)
    base = _powers(trials[0])
    added = {part: _powers(trial) - base for part, trial in alone.items()}

    def options(noise: Mapping[Part, Array]) -> list[list[Option[Part]]]:
        return [[Option(p, gains[p], noise[p]) for p in alone if p[0] == each] for each in blocks]

    both = {part: np.append(added[part], elsewhere.added[part]) for part in alone}
    judge = partial(_both_db, outputs=base.size, shape=elsewhere.base.shape)
    least = min_snr_db - SLACK_DB
    found = search(np.append(base, elsewhere.base), options(both), judge, least)
    chosen = list(islice((each for each in found if each.snr_db >= least), FASTEST))
    level = min(trial.snr_db for trial in trials)
    top = max((trial.snr_db for trial in trials if isfinite(trial.snr_db)), default=level)
    while level < top:
        found = search(base, options(added), _here_db, level)
        chosen += islice((each for each in found if each.snr_db >= level), 1)
        level += STEP_DB
    return _new([_assigned(blocks, each) for each in chosen], trials)


def _alone(blocks: Sequence[Block], trials: Sequence[Trial]) -> dict[Part, Trial]:
    """Trials of which one block is in one precision."""
    parts = [(block, precision) for block in blocks for precision in GRAPH_PRECISIONS]
    return {
        part: trial
        for part in parts
        for trial in trials
        if dict(trial.layers) == dict.fromkeys(*part)
    }


def _gains(
    blocks: Sequence[Block], trials: Sequence[Trial], alone: Mapping[Part, Trial]
) -> dict[Part, float]:
    """Share of the base's time that each part saves beside others."""
    layers = [layer for block in blocks for layer in block]
    factor = {
        precision: _factor(precision, alone, trial)
        for precision in GRAPH_PRECISIONS
        for trial in trials[1:]
        if dict(trial.layers) == dict.fromkeys(layers, precision)
    }
    return {part: factor.get(part[1], 1.0) * (1 - trial.ratio) for part, trial in alone.items()}


def _factor(precision: GraphPrecision, alone: Mapping[Part, Trial], together: Trial) -> float:
    gains = sum(1 - each.ratio for (_, held), each in alone.items() if held == precision)
    return (1 - together.ratio) / gains if gains > 0 and together.ratio < 1 else 1.0


def _powers(trial: Trial) -> Array:
    return np.array(list(trial.noise.values()))


def _here_db(powers: Array) -> Array:
    """SNR of the worst output in the runtime, (k, outputs) -> (k,)."""
    found: Array = -10 * np.log10(np.maximum(powers, TINY).max(axis=1))
    return found


def _both_db(powers: Array, outputs: int, shape: tuple[int, ...]) -> Array:
    """The lower of that and what other speech will hardly leave, (k, places) -> (k,)."""
    there = likely_db_of(powers[:, outputs:].reshape(-1, *shape))
    return np.minimum(_here_db(powers[:, :outputs]), there)


def _assigned(blocks: Sequence[Block], selection: Selection[Part]) -> Assigned:
    held = dict(selection.keys)
    return {layer: held[block] for block in blocks if block in held for layer in block}


def _new(chosen: Sequence[Assigned], trials: Sequence[Trial]) -> list[Assigned]:
    """Each once, without those that were measured."""
    known = [dict(trial.layers) for trial in trials]
    found: list[Assigned] = []
    for each in chosen:
        if dict(each) not in known:
            known.append(dict(each))
            found.append(each)
    return found
