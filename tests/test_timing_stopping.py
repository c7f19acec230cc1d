"""The stop rules, driven with synthetic times."""

from collections.abc import Sequence

import numpy as np
import pytest

from bench.stopping import WARM_CALLS, Limits, is_settled, is_warm, median_interval

TRIALS = 200


def first_warm(seconds: Sequence[float]) -> int | None:
    """How many calls the warm-up takes on these times, or None if it does not end."""
    return next((n for n in range(1, len(seconds) + 1) if is_warm(seconds[:n])), None)


def noisy(count: int, noise: float, seed: int = 0, middle: float = 0.02) -> list[float]:
    """Times around ``middle`` with a relative standard deviation."""
    times: list[float] = np.random.default_rng(seed).normal(middle, noise * middle, count).tolist()
    return times


def test_constant_times_are_warm_after_the_least_calls_and_seconds() -> None:
    assert first_warm([0.5] * 50) == WARM_CALLS, "seconds are enough, calls are not"
    assert first_warm([0.125] * 50) == WARM_CALLS
    assert first_warm([1 / 64] * 100) == 64, "calls are enough, seconds are not"


def test_nothing_is_not_warm() -> None:
    assert not is_warm([])
    assert not is_warm([2.0])


@pytest.mark.parametrize("share", [0.99, 0.97])
def test_a_drift_that_keeps_falling_is_never_warm(share: float) -> None:
    assert first_warm([0.05 * share**i for i in range(400)]) is None


def test_a_drift_slower_than_a_fixed_window_is_seen() -> None:
    falling = [0.002 * 0.9998**i for i in range(3000)]  # 0.1 % over five calls
    assert sum(falling) > 2
    assert first_warm(falling) is None


def test_a_drift_that_ends_is_warm_only_after_it() -> None:
    falling = [max(0.05 * 0.97**i, 0.02) for i in range(400)]
    end = falling.index(0.02)
    warm = first_warm(falling)
    assert warm is not None and end < warm < end + 60


@pytest.mark.parametrize("seed", range(20))
def test_a_lazy_compiler_must_have_finished(seed: int) -> None:
    """The first 30 calls compile, each another while."""
    compiling = np.random.default_rng(seed).uniform(0.05, 0.5, 30).tolist()
    warm = first_warm(compiling + noisy(200, 0.005, seed))
    assert warm is not None and 30 < warm < 120


def test_a_lazy_compiler_that_is_slow_by_a_constant_must_have_finished() -> None:
    warm = first_warm([0.03] * 30 + [0.005] * 400)
    assert warm is not None and 30 < warm < 120


@pytest.mark.parametrize("seed", range(20))
def test_noise_of_half_a_per_cent_is_warm_at_once_and_settles(seed: int) -> None:
    times = noisy(100, 0.005, seed)
    warm = first_warm(times)
    assert warm is not None and warm <= 60, "about 50 calls make a second"
    assert is_settled(times[:20])


def test_noise_of_ten_per_cent_needs_more_samples() -> None:
    times = noisy(2000, 0.1)
    assert not is_settled(times[:20])
    assert is_settled(times)


def test_an_interval_that_is_wide_on_one_side_is_not_settled() -> None:
    assert not is_settled([1.0] * 11 + [1.5] * 10)
    assert not is_settled([1.5] * 11 + [1.0] * 10)


def test_equal_samples_are_settled() -> None:
    assert is_settled([0.25] * 20)
    assert median_interval([0.25] * 20) == (0.25, 0.25)


@pytest.mark.parametrize("count", range(1, 6))
def test_too_few_samples_for_95_per_cent_are_not_settled(count: int) -> None:
    """Below six, even the smallest and the largest miss the median in more than 5 % of cases."""
    assert 2 * 0.5**count > 0.05
    assert not is_settled([4.0 + 0.001 * i for i in range(count)])


def test_the_interval_is_the_same_at_every_call() -> None:
    times = noisy(100, 0.1)
    assert median_interval(times) == median_interval(times)
    assert median_interval(tuple(times)) == median_interval(times)


def test_the_interval_holds_the_median_and_scales_with_the_unit() -> None:
    times = noisy(101, 0.1)
    low, high = median_interval(times)
    assert min(times) <= low <= float(np.median(times)) <= high <= max(times)
    assert median_interval([1000 * t for t in times]) == pytest.approx((1000 * low, 1000 * high))


def test_the_interval_narrows_with_samples() -> None:
    few, many = (median_interval(noisy(count, 0.1)) for count in (25, 2500))
    assert many[1] - many[0] < (few[1] - few[0]) / 5


@pytest.mark.parametrize("count", [30, 101])
def test_the_interval_covers_the_true_median_in_95_per_cent(count: int) -> None:
    """Of a skewed distribution with median 1, as latencies are."""
    covered = 0
    for seed in range(TRIALS):
        low, high = median_interval(np.random.default_rng(seed).lognormal(0, 0.3, count).tolist())
        covered += low <= 1 <= high
    assert 0.90 * TRIALS <= covered <= 0.99 * TRIALS


def test_limits_leave_room_for_the_rules() -> None:
    limits = Limits()
    assert limits.least >= 3, "rule 4"
    assert limits.warmup > 1 and limits.most >= limits.least
