"""Sums in blocks are those over whole arrays."""

import numpy as np
import pytest

from export.sums import BLOCK, short_of, sums_of

SIZES = (1, BLOCK - 1, BLOCK, BLOCK + 1, 3 * BLOCK + 5)


def noise(size: int, seed: int) -> "np.ndarray[tuple[int], np.dtype[np.float64]]":
    return np.random.default_rng(seed).standard_normal(size)


@pytest.mark.parametrize(
    ("found", "budget", "told"),
    [
        (6.94, 20, "6.9"),
        (19.96, 20, "19.96"),
        (19.9996, 20, "a little less than 20"),
        (20.0, 20, "a little less than 20"),  # one pass measured more than another
        (99.96, 99.97, "99.96"),
        (-np.inf, 20, "-inf"),
        (np.nan, 20, "nan"),
    ],
)
def test_what_misses_a_budget_is_not_told_as_if_it_reached_it(
    found: float, budget: float, told: str
) -> None:
    assert short_of(found, budget) == told


@pytest.mark.parametrize("size", SIZES)
def test_they_are_those_of_the_textbook(size: int) -> None:
    exact = noise(size, 0)
    found = (exact + 1e-3 * noise(size, 1)).astype(np.float32)
    sums, wide = sums_of(exact, found), found.astype(np.float64)
    error = wide - exact
    assert sums.snr_db == pytest.approx(10 * np.log10((exact**2).sum() / (error**2).sum()))
    assert sums.worst == np.abs(error).max()
    assert sums.max_relative == pytest.approx(sums.worst / np.sqrt((exact**2).mean()))
    length = np.linalg.norm(exact) * np.linalg.norm(wide)
    assert sums.cosine == pytest.approx(exact @ wide / length)


@pytest.mark.parametrize("place", [0, BLOCK, -1])
@pytest.mark.parametrize("wrong", [np.nan, np.inf, 1e3])
def test_a_wrong_value_shows_wherever_it_is(place: int, wrong: float) -> None:
    exact = noise(2 * BLOCK + 7, 0)
    found = exact.copy()
    found[place] = wrong
    sums = sums_of(exact, found)
    assert sums.snr_db < 30 and not sums.worst < 900


def test_what_is_equal_has_no_noise() -> None:
    exact = noise(BLOCK + 3, 0).reshape(-1, 1, 1)
    assert sums_of(exact, exact).snr_db == np.inf


def test_silence_has_no_angle() -> None:
    zeros = np.zeros(5)
    silent = sums_of(zeros, zeros)
    assert (silent.cosine, silent.max_relative) == (0.0, 0.0)
    wrong = sums_of(zeros, zeros + 1)
    assert (wrong.snr_db, wrong.cosine, wrong.max_relative) == (-np.inf, 0.0, np.inf)
