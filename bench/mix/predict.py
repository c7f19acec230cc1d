"""Which combinations of layers are worth measuring, from each layer alone.

1. Errors of layers are nearly independent: their powers add.
2. Times do not add, because neighbours that agree need no conversion: what each layer gains alone
   is scaled so that all of them together gain what they were measured to gain together.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice, product
from math import inf, log10

from bench.mix.records import Trial
from export.precision.budget import GraphPrecision

FASTEST = 8  # combinations within the budget
SLACK_DB = 0.5  # by which a prediction may miss the budget and still be measured
STEP_DB = 3.0  # between points of the front

Assigned = Mapping[str, GraphPrecision]


@dataclass(frozen=True)
class _Guess:
    layers: Assigned
    snr_db: float
    ratio: float


def worth_trying(
    layers: Sequence[str],
    trials: Sequence[Trial],
    min_snr_db: float,
    elsewhere: Callable[[Assigned], float],
) -> list[Assigned]:
    """Combinations that were not measured yet.

    Args:
        layers: that may lose precision.
        trials: the base, each layer alone in each precision, all layers in each precision.
        min_snr_db: the budget, dB.
        elsewhere: SNR of a combination on other speech, dB.
    """
    guesses = sorted(_guesses(layers, trials), key=lambda guess: guess.ratio)
    least = min_snr_db - SLACK_DB
    within = (g for g in guesses if g.snr_db >= least and elsewhere(g.layers) >= least)
    chosen = list(islice(within, FASTEST))
    level = min(trial.snr_db for trial in trials)
    top = max((guess.snr_db for guess in guesses if guess.snr_db < inf), default=level)
    while level < top:
        chosen += [next(guess for guess in guesses if guess.snr_db >= level)]
        level += STEP_DB
    known = [dict(trial.layers) for trial in trials]
    found: list[Assigned] = []
    for guess in chosen:
        if dict(guess.layers) not in known:
            known.append(dict(guess.layers))
            found.append(guess.layers)
    return found


def _guesses(layers: Sequence[str], trials: Sequence[Trial]) -> Iterator[_Guess]:
    base = trials[0]
    alone = {next(iter(each.layers.items())): each for each in trials[1:] if len(each.layers) == 1}
    together = {
        next(iter(each.layers.values())): each
        for each in trials[1:]
        if len(each.layers) == len(layers)
    }
    factor = {precision: _factor(precision, alone, each) for precision, each in together.items()}
    options = [
        [None, *(precision for name, precision in alone if name == layer)] for layer in layers
    ]
    for combination in product(*options):
        chosen = {
            layer: precision
            for layer, precision in zip(layers, combination, strict=True)
            if precision is not None
        }
        parts = [alone[pair] for pair in chosen.items()]
        noise = {
            name: max(power + sum(part.noise[name] - power for part in parts), 1e-30)
            for name, power in base.noise.items()
        }
        gain = sum(
            factor.get(precision, 1.0) * (1 - alone[layer, precision].ratio)
            for layer, precision in chosen.items()
        )
        yield _Guess(chosen, -10 * log10(max(noise.values())), 1 - gain)


def _factor(
    precision: GraphPrecision,
    alone: Mapping[tuple[str, GraphPrecision], Trial],
    together: Trial,
) -> float:
    gains = sum(1 - each.ratio for (_, held), each in alone.items() if held == precision)
    return (1 - together.ratio) / gains if gains > 0 and together.ratio < 1 else 1.0
