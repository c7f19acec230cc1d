"""What is worth measuring: noise adds, gains are scaled, nothing is asked twice."""

from itertools import product
from math import log10
from random import Random
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.mix.blocks import MOST_ALONE, Assigned, Block, Part, blocks_of
from bench.mix.predict import FASTEST, SLACK_DB, STEP_DB, Powers, worth_trying
from bench.mixing_record import Trial
from export.precision import front
from export.precision.budget import GraphPrecision
from export.precision.front import Array
from export.precision.noise import likely_db_of

LAYERS: tuple[Block, ...] = (("a",), ("b",), ("c",))
SHAPE = (1, 4, 3)
LOWER: tuple[GraphPrecision, ...] = ("fp16", "bf16", "int8")
TOLERANCE = 0.01  # of the base's time


def heard(noise: dict[str, float], precisions: tuple[GraphPrecision, ...] = ("int8",)) -> Powers:
    """Errors on other speech, of each layer in each precision."""
    parts: dict[Part, Array] = {
        ((name,), each): np.full(SHAPE, power)
        for name, power in noise.items()
        for each in precisions
    }
    return Powers(np.full(SHAPE, 1e-11), parts)


SILENT = heard(dict.fromkeys("abcd", 0.0), ("int8", "fp16"))


def trials(
    noise: dict[str, float], gains: dict[str, float], together: float | None = None
) -> list[Trial]:
    alone = [Trial({n: "int8"}, {"score": noise[n]}, 1 - gains[n]) for n in noise]
    all_ = Trial(
        dict.fromkeys(noise, "int8"),
        {"score": sum(noise.values())},
        1 - (sum(gains.values()) if together is None else together),
    )
    return [Trial({}, {"score": 1e-11}, 1.0), *alone, all_]


NOISE = {"a": 1e-2, "b": 1e-3, "c": 1e-4}
GAINS = {"a": 0.3, "b": 0.2, "c": 0.1}


def test_what_fits_the_budget_comes_first_the_fastest_before_the_others() -> None:
    first, *rest = worth_trying(LAYERS, trials(NOISE, GAINS), 25.0, SILENT)
    assert first == {"b": "int8", "c": "int8"}, "1.1e-3 is 29.6 dB, and a alone leaves 20"
    assert {"a": "int8", "b": "int8", "c": "int8"} not in rest, "it was measured"
    assert all(len(plan) > 1 for plan in rest), "so was each layer alone"


def test_what_is_not_exact_enough_on_other_speech_gives_way() -> None:
    found = trials({**NOISE, "d": 1e-5}, {**GAINS, "d": 0.1})
    layers = (*LAYERS, ("d",))
    coarse = heard({"a": 0.0, "b": 0.0, "c": 1e-2, "d": 0.0})
    assert worth_trying(layers, found, 25.0, SILENT)[0] == dict.fromkeys("bcd", "int8")
    assert worth_trying(layers, found, 25.0, coarse)[0] == dict.fromkeys("bd", "int8")


def test_what_nobody_heard_on_other_speech_is_not_tried() -> None:
    plans = worth_trying(LAYERS, trials(NOISE, GAINS), 5.0, heard({"a": 0.0, "c": 0.0}))
    assert plans == [{"a": "int8", "c": "int8"}]


def test_the_front_is_sampled_beyond_the_budget() -> None:
    plans = worth_trying(LAYERS, trials(NOISE, GAINS), 100.0, SILENT)
    assert plans == [{"b": "int8", "c": "int8"}], "none is within, one lies on the way"


def test_a_prediction_may_miss_by_a_little() -> None:
    edge = -10 * log10(NOISE["b"] + NOISE["c"])
    near = worth_trying(LAYERS, trials(NOISE, GAINS), edge + SLACK_DB - 0.01, SILENT)
    assert near[0] == {"b": "int8", "c": "int8"}
    assert STEP_DB > SLACK_DB


def test_gains_of_neighbours_are_scaled_to_what_they_gained_together() -> None:
    """Alone int8 seems to gain as much as fp16; together it gained twice that."""
    found = trials(NOISE, dict.fromkeys(NOISE, 0.1), together=0.6)
    fine = [Trial({name: "fp16"}, {"score": 1e-6}, 0.9) for name in NOISE]
    fine.append(Trial(dict.fromkeys(NOISE, "fp16"), {"score": 3e-6}, 0.7))
    first = worth_trying(LAYERS, [*found, *fine], 25.0, SILENT)[0]
    assert first == {"a": "fp16", "b": "int8", "c": "int8"}


@given(
    st.lists(st.floats(1e-6, 1e-1), min_size=2, max_size=5),
    st.floats(5, 60),
    st.randoms(use_true_random=False),
)
def test_nothing_is_asked_twice_and_all_that_is_asked_is_known(
    noises: list[float],
    budget: float,
    random: Random,
) -> None:
    names = [f"l{i}" for i in range(len(noises))]
    known = trials(
        dict(zip(names, noises, strict=True)),
        {name: random.uniform(-0.1, 0.4) for name in names},
    )
    plans = worth_trying(blocks_of(names, 1), known, budget, heard(dict.fromkeys(names, 0.0)))
    seen = [dict(trial.layers) for trial in known]
    for plan in plans:
        assert dict(plan) not in seen
        assert set(plan) <= set(names)
        seen.append(dict(plan))


def measured(
    count: int, lower: tuple[GraphPrecision, ...], seed: int
) -> tuple[list[Trial], Powers]:
    """A base, each layer alone, all together, and what they do on other speech."""
    rng = np.random.default_rng(seed)
    base = 1e-11
    alone = []
    powers: dict[Part, Array] = {}
    for name in map(str, range(count)):
        scale, gain = 10 ** rng.uniform(-7, -2), rng.uniform(-0.1, 1) / count
        for place, precision in enumerate(lower):
            coarse = scale * 10.0 ** (2 * place - 4)
            noise = {output: base + coarse * rng.lognormal() for output in ("score", "fmap")}
            alone.append(Trial({name: precision}, noise, 1 - gain * (1 + place) / 3))
            powers[(name,), precision] = coarse * rng.lognormal(0, rng.uniform(0, 1), SHAPE)
    whole = [
        Trial(dict.fromkeys(map(str, range(count)), each), {"score": 1.0, "fmap": 1.0}, 0.4)
        for each in lower
    ]
    return [Trial({}, {"score": base, "fmap": base}, 1.0), *alone, *whole], Powers(
        np.full(SHAPE, base), powers
    )


def seconds_of(plan: Assigned, trials: list[Trial]) -> float:
    """Predicted time over that of the base."""
    alone = {next(iter(t.layers.items())): 1 - t.ratio for t in trials if len(t.layers) == 1}
    apart: dict[str, float] = {}
    for (_, precision), gain in alone.items():
        apart[precision] = apart.get(precision, 0.0) + gain
    factor = {p: 0.6 / gain if gain > 0 else 1.0 for p, gain in apart.items()}
    return 1 - sum(factor[part[1]] * alone[part] for part in plan.items())


def within(plan: Assigned, trials: list[Trial], powers: Powers, least_db: float) -> bool:
    base = trials[0].noise
    alone = {next(iter(t.layers.items())): t.noise for t in trials if len(t.layers) == 1}
    here = [n + sum(alone[part][o] - n for part in plan.items()) for o, n in base.items()]
    there = powers.base + sum(powers.added[(n,), p] for n, p in plan.items())
    return -10 * log10(max(here)) >= least_db and bool(likely_db_of(there) >= least_db)


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from([(2, 3), (4, 3), (5, 3), (6, 2), (8, 1)]),
    st.integers(0, 10**6),
    st.floats(10, 60),
)
def test_nothing_within_the_budget_is_faster_than_what_is_tried(
    size: tuple[int, int], seed: int, budget: float
) -> None:
    """Within a hundredth of the base's time, where trying all combinations would find more."""
    count, precisions = size
    lower = LOWER[:precisions]
    known, powers = measured(count, lower, seed)
    names = [str(number) for number in range(count)]
    plans = worth_trying(blocks_of(names, precisions), known, budget, powers)
    every = [
        {name: held for name, held in zip(names, each, strict=True) if held}
        for each in product((None, *lower), repeat=count)
    ]
    tried = [*plans, *(trial.layers for trial in known)]
    least = budget - SLACK_DB
    best = min(seconds_of(p, known) for p in every if within(p, known, powers, least))
    found = min(seconds_of(p, known) for p in tried if within(p, known, powers, least))
    assert found <= best + TOLERANCE


@pytest.mark.parametrize("count", [1, 8])
def test_it_ends_for_few_and_many_layers(count: int) -> None:
    names = [f"l{i}" for i in range(count)]
    noise = {name: 10 ** -(2 + i / 3) for i, name in enumerate(names)}
    known = trials(noise, dict.fromkeys(names, 0.1))
    plans = worth_trying(blocks_of(names, 1), known, 30.0, heard(noise))
    assert (len(plans) == 0) == (count == 1)


def test_few_layers_are_tried_each_alone() -> None:
    assert blocks_of(list("abc"), 3) == LAYERS
    assert blocks_of([], 3) == ()


@pytest.mark.parametrize("precisions", [1, 2, 3])
def test_of_78_layers_neighbours_are_tried_together(precisions: int) -> None:
    names = [f"l{i}" for i in range(78)]
    blocks = blocks_of(names, precisions)
    assert [name for block in blocks for name in block] == names
    assert len(blocks) * precisions <= MOST_ALONE
    assert max(map(len, blocks)) - min(map(len, blocks)) <= 1


def test_78_layers_are_searched_and_measured_in_few_combinations(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    blocks = blocks_of([str(number) for number in range(78)], 3)
    small, powers = measured(len(blocks), LOWER, 0)

    def wide(layers: Assigned) -> Assigned:
        return {name: held for n, held in layers.items() for name in blocks[int(n)]}

    known = [Trial(wide(each.layers), each.noise, each.ratio) for each in small]
    added = {(blocks[int(n)], held): more for ((n,), held), more in powers.added.items()}
    evaluated: list[int] = []

    def counted(*given: Any) -> front._Held:
        made = extended(*given)
        evaluated.append(len(made.gains))
        return made

    extended = front._with
    monkeypatch.setattr(front, "_with", counted)
    plans = worth_trying(blocks, known, 30.0, Powers(powers.base, added))
    levels = (110 - min(trial.snr_db for trial in known)) / STEP_DB + 1
    assert sum(evaluated) <= (1 + levels) * len(blocks) * front.MOST * (1 + len(LOWER))
    assert 0 < len(plans) <= FASTEST + levels
    parts = {frozenset(block) for block in blocks}
    assert all(part <= set(plan) or not part & set(plan) for plan in plans for part in parts)
