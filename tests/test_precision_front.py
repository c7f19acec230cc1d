"""The search over layers: as good as trying all selections, at a cost that grows with layers."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from export.precision.branches import Branch
from export.precision.front import MOST, Array, Option, Selection, front, search
from export.precision.keep import choices
from export.precision.noise import Noise, likely_db_of

SHAPE = (3, 4, 6)  # outputs, levels, stretches
PLACES = 72
TOLERANCE = 0.01  # of the gain of all layers
Layers = list[list[Option[str]]]


def drawn(count: int, precisions: int, seed: int) -> Layers:
    """Layers whose noise differs by 50 dB, of which each spares the outputs before it."""
    rng = np.random.default_rng(seed)
    layers: Layers = []
    for number in range(count):
        scale = 10 ** rng.uniform(-7, -2)
        heard = np.arange(SHAPE[0])[:, None, None] >= number * SHAPE[0] // count
        spread = rng.lognormal(0, rng.uniform(0, 1), (precisions, *SHAPE))
        noise = (
            heard * scale * spread * 10.0 ** -np.arange(0, 2 * precisions, 2)[:, None, None, None]
        )
        work = rng.lognormal() * (1 - 0.3 * np.arange(precisions))
        names = [f"{number}.{place}" for place in range(precisions)]
        layers.append(
            [Option(*each) for each in zip(names, work, noise.reshape(precisions, -1), strict=True)]
        )
    return layers


def snr_db(powers: Array) -> Array:
    return likely_db_of(powers.reshape(-1, *SHAPE))


def every(layers: Layers) -> list[Selection[str]]:
    """All selections, the most gain first."""
    made = [[each for each in chosen if each] for chosen in product(*([None, *o] for o in layers))]
    ratios = snr_db(
        np.array([1e-12 + sum(o.noise for o in each) + np.zeros(PLACES) for each in made])
    )
    found = [
        Selection(tuple(o.key for o in each), sum(o.gain for o in each), float(ratio))
        for each, ratio in zip(made, ratios, strict=True)
    ]
    return sorted(found, key=lambda each: -each.gain)


def best(selections: list[Selection[str]], floor_db: float) -> float:
    return max((each.gain for each in selections if each.snr_db >= floor_db), default=0.0)


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 8), st.integers(0, 10**6), st.floats(0, 70))
def test_up_to_eight_layers_of_one_precision_nothing_is_left_out(
    count: int, seed: int, floor_db: float
) -> None:
    layers = drawn(count, 1, seed)
    found = search(np.full(PLACES, 1e-12), layers, snr_db, floor_db)
    assert {frozenset(each.keys) for each in found} == {frozenset(e.keys) for e in every(layers)}
    gains = [each.gain for each in found]
    assert gains == sorted(gains, reverse=True)


@settings(max_examples=30, deadline=None)
@given(
    st.sampled_from([(4, 3), (5, 3), (6, 3), (7, 2), (8, 2), (11, 1)]),
    st.integers(0, 10**6),
    st.floats(0, 70),
)
def test_what_is_left_out_would_hardly_gain_more(
    size: tuple[int, int], seed: int, floor_db: float
) -> None:
    layers = drawn(*size, seed)
    found = search(np.full(PLACES, 1e-12), layers, snr_db, floor_db)
    most = sum(max(option.gain for option in options) for options in layers)
    assert best(found, floor_db) >= best(every(layers), floor_db) - TOLERANCE * most


def test_the_front_holds_what_none_beats_in_both() -> None:
    ratios = (10.0, 20.0, 15.0, 20.0, 30.0)
    found = [
        Selection((str(gain),), gain, ratio)
        for gain, ratio in zip((5, 4, 3, 2, 1), ratios, strict=True)
    ]
    assert [each.gain for each in front(found)] == [5, 4, 1]


def test_of_equal_gain_the_more_exact_comes_first() -> None:
    layers = [
        [Option(name, 1.0, np.full(PLACES, noise))] for name, noise in (("a", 1e-2), ("b", 1e-3))
    ]
    found = search(np.zeros(PLACES), layers, snr_db, 20.0)
    assert [each.keys for each in found][1:3] == [("b",), ("a",)]


@pytest.mark.parametrize("bad", [np.inf, np.nan])
def test_what_is_no_number_is_not_chosen(bad: float) -> None:
    layers = [[Option(str(n), 1.0, np.full(PLACES, bad))] for n in range(12)]
    found = search(np.full(PLACES, 1e-12), [*layers, *drawn(2, 1, 0)], snr_db, 0.0)
    assert set(front(found)[0].keys) == {"0.0", "1.0"}


def counted(layers: int, precisions: int) -> int:
    rows = []

    def judge(powers: Array) -> Array:
        rows.append(len(powers))
        return snr_db(powers)

    search(np.full(PLACES, 1e-12), drawn(layers, precisions, 1), judge, 30.0)
    return sum(rows)


@pytest.mark.parametrize("precisions", [1, 3])
def test_a_generator_of_78_layers_costs_what_its_layers_do(precisions: int) -> None:
    assert counted(78, precisions) <= 78 * MOST * (1 + precisions)
    assert counted(78, precisions) <= 2.5 * counted(39, precisions)


def test_choices_of_78_layers_are_few_each_more_exact_than_those_before() -> None:
    layers = {options[0].key: options[0] for options in drawn(78, 1, 2)}
    places = [(f"o{o}", level, s) for o in range(3) for level in range(4) for s in range(6)]
    parts: dict[str, Noise] = {
        name: dict(zip(places, map(float, option.noise), strict=True))
        for name, option in layers.items()
    }
    flops = {name: round(1e6 * option.gain) for name, option in layers.items()}
    branch = Branch(tuple(layers), frozenset({"o0", "o1", "o2"}))
    found = list(choices(branch, parts, flops, 30.0, ("3.0",)))
    assert 10 < len(found) < 40
    assert found[-1] == ("3.0",) and all("3.0" in each for each in found)
    powers = np.array([np.sum([layers[name].noise for name in each], axis=0) for each in found])
    ratios = snr_db(powers).tolist()
    assert ratios == sorted(ratios) and ratios[0] >= 29.5
    work = [sum(flops[name] for name in each) for each in found]
    assert work == sorted(work, reverse=True)


def test_the_most_exact_choice_is_among_them_however_near_the_others_are() -> None:
    parts: dict[str, Noise] = {
        name: {("audio", level, 0): 10 ** (-db / 10) for level in range(3)}
        for name, db in (("a", 25.0), ("b", 25.1), ("c", 25.2))
    }
    branch = Branch(("a", "b", "c"), frozenset({"audio"}))
    found = choices(branch, parts, {"a": 3, "b": 2, "c": 1}, 24.0, ())
    assert list(found) == [("a",), ("b",), ("c",), ()]
