"""What is worth measuring: noise adds, gains are scaled, nothing is asked twice."""

from math import inf, log10
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.mix.predict import SLACK_DB, STEP_DB, Assigned, worth_trying
from bench.mix.records import Trial

LAYERS = ("a", "b", "c")


def anywhere(_: Assigned) -> float:
    """As exact on other speech as one likes."""
    return inf


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
    first, *rest = worth_trying(LAYERS, trials(NOISE, GAINS), 25.0, anywhere)
    assert first == {"b": "int8", "c": "int8"}, "1.1e-3 is 29.6 dB, and a alone leaves 20"
    assert {"a": "int8", "b": "int8", "c": "int8"} not in rest, "it was measured"
    assert all(len(plan) > 1 for plan in rest), "so was each layer alone"


def test_what_is_not_exact_enough_on_other_speech_gives_way() -> None:
    def elsewhere(layers: Assigned) -> float:
        return 20.0 if "c" in layers else 30.0

    found = trials({**NOISE, "d": 1e-5}, {**GAINS, "d": 0.1})
    layers = (*LAYERS, "d")
    assert worth_trying(layers, found, 25.0, anywhere)[0] == dict.fromkeys("bcd", "int8")
    assert worth_trying(layers, found, 25.0, elsewhere)[0] == dict.fromkeys("bd", "int8")


def test_the_front_is_sampled_beyond_the_budget() -> None:
    plans = worth_trying(LAYERS, trials(NOISE, GAINS), 100.0, anywhere)
    assert plans == [{"b": "int8", "c": "int8"}], "none is within, one lies on the way"


def test_a_prediction_may_miss_by_a_little() -> None:
    edge = -10 * log10(NOISE["b"] + NOISE["c"])
    near = worth_trying(LAYERS, trials(NOISE, GAINS), edge + SLACK_DB - 0.01, anywhere)
    assert near[0] == {"b": "int8", "c": "int8"}
    assert STEP_DB > SLACK_DB


def test_gains_of_neighbours_are_scaled_to_what_they_gained_together() -> None:
    """Alone int8 seems to gain as much as fp16; together it gained twice that."""
    found = trials(NOISE, dict.fromkeys(LAYERS, 0.1), together=0.6)
    fine = [Trial({name: "fp16"}, {"score": 1e-6}, 0.9) for name in LAYERS]
    fine.append(Trial(dict.fromkeys(LAYERS, "fp16"), {"score": 3e-6}, 0.7))
    first = worth_trying(LAYERS, [*found, *fine], 25.0, anywhere)[0]
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
    plans = worth_trying(names, known, budget, anywhere)
    seen = [dict(trial.layers) for trial in known]
    for plan in plans:
        assert dict(plan) not in seen
        assert set(plan) <= set(names)
        seen.append(dict(plan))


@pytest.mark.parametrize("count", [1, 8])
def test_it_ends_for_few_and_many_layers(count: int) -> None:
    names = [f"l{i}" for i in range(count)]
    noise = {name: 10 ** -(2 + i / 3) for i, name in enumerate(names)}
    plans = worth_trying(names, trials(noise, dict.fromkeys(names, 0.1)), 30.0, anywhere)
    assert (len(plans) == 0) == (count == 1)
