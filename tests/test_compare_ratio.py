"""The ratio of two medians: its interval on known distributions, and beside a plain bootstrap."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.stats import bootstrap

from bench.compare.ratio import LEAST_ROUNDS, RESAMPLES, Ratio, _bootstrap_medians, ratio_of
from bench.records import GpuMoment, Measurement

Samples = NDArray[np.float64]
TRIALS = 200


def measured(samples: Samples) -> Measurement:
    """A row for each round; one dimension is one round that is not told."""
    rounds = tuple([samples.shape[1]] * samples.shape[0]) if samples.ndim == 2 else ()
    seconds = tuple(samples.ravel().tolist())
    return Measurement(seconds, 1.0, 10, warm=True, converged=True, rounds=rounds)


def noisy(rng: np.random.Generator, shape: int | tuple[int, int], noise: float = 0.05) -> Samples:
    """Around 1 s, with the long tail that times have."""
    return np.asarray(np.exp(noise * rng.standard_normal(shape)))


@pytest.mark.parametrize("size", [1, 2, 3, 6, 7, 40])
def test_bootstrap_medians_are_those_of_drawn_resamples(size: int) -> None:
    rng = np.random.default_rng(size)
    ordered = np.sort(noisy(rng, size))
    told = _bootstrap_medians(ordered, 20_000, rng)
    drawn = np.median(rng.choice(ordered, (20_000, size)), axis=1)
    for share in (0.025, 0.25, 0.5, 0.75, 0.975):
        # where the distribution jumps, quantiles may; its shares at a value may not
        value = np.quantile(drawn, share)
        assert (told <= value).mean() == pytest.approx((drawn <= value).mean(), abs=0.02)


def test_one_round_has_the_interval_of_scipy() -> None:
    rng = np.random.default_rng(0)
    before, after = noisy(rng, 300), 1.1 * noisy(rng, 200)
    found = ratio_of(measured(before), measured(after))

    def ratio(new: Samples, old: Samples, axis: int) -> Samples:
        return np.asarray(np.median(new, axis=axis) / np.median(old, axis=axis))

    asked = {"method": "percentile", "n_resamples": RESAMPLES, "rng": rng}
    expected = bootstrap((after, before), ratio, vectorized=True, **asked).confidence_interval
    assert found.value == np.median(after) / np.median(before)
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high), abs=2e-3)
    assert not found.by_rounds


@pytest.mark.parametrize("drift", [0.0, 0.01, 0.05, 0.2])
def test_the_interval_of_rounds_holds_the_truth_although_rounds_drift(drift: float) -> None:
    rng = np.random.default_rng(1)

    def drifting() -> Measurement:
        return measured(noisy(rng, (5, 40)) * (1 + drift * rng.standard_normal((5, 1))))

    found = [ratio_of(drifting(), drifting()) for _ in range(TRIALS)]
    assert all(each.by_rounds for each in found)
    misses = sum(not each.low <= 1 <= each.high for each in found)
    assert misses <= 0.08 * TRIALS, "5 % of very many, and what 200 may deviate"
    assert sum(each.low > 1.02 or each.high < 0.98 for each in found) <= 0.05 * TRIALS


def test_drift_widens_the_interval() -> None:
    rng = np.random.default_rng(2)
    calm = noisy(rng, (5, 100))
    drifting = calm * np.array([[1.0], [1.02], [1.04], [1.06], [1.08]])

    def width(samples: Samples) -> float:
        found = ratio_of(measured(samples), measured(samples))
        return found.high - found.low

    assert width(drifting) > 2 * width(calm)
    assert width(drifting) > 2 * width(drifting.ravel()), "which one round cannot see"


def test_rounds_count_where_both_have_enough_of_them() -> None:
    rng = np.random.default_rng(3)
    many, few = (measured(noisy(rng, (count, 20))) for count in (LEAST_ROUNDS, LEAST_ROUNDS - 1))
    assert ratio_of(many, many).by_rounds
    assert not ratio_of(many, few).by_rounds and not ratio_of(few, many).by_rounds


def test_an_empty_round_is_no_round() -> None:
    told = Measurement((1.0,) * 8, 1.0, 10, warm=True, converged=True, rounds=(2, 2, 0, 2, 2))
    assert not ratio_of(told, told).by_rounds
    more = Measurement((1.0,) * 10, 1.0, 10, warm=True, converged=True, rounds=(2, 2, 0, 2, 2, 2))
    assert ratio_of(more, more) == Ratio(1.0, 1.0, 1.0, 1.0, by_rounds=True, enough=True)


@pytest.mark.parametrize(("count", "enough"), [(5, False), (6, True)])
def test_an_interval_needs_six_samples_of_each(count: int, enough: bool) -> None:
    few, many = (measured(np.ones(size)) for size in (count, 50))
    assert ratio_of(few, many).enough is ratio_of(many, few).enough is enough


def test_the_same_samples_give_the_same_interval() -> None:
    rng = np.random.default_rng(4)
    before, after = measured(noisy(rng, 50)), measured(noisy(rng, 50))
    assert ratio_of(before, after) == ratio_of(before, after)


@pytest.mark.parametrize("state", ["warm", "converged"])
def test_what_was_unsteady_in_one_round_is_no_ground_for_a_verdict(state: str) -> None:
    """Drift within a run and a change between runs look the same there."""
    steady = Measurement((1.0,) * 10, 1.0, 10, warm=True, converged=True)
    unsteady = replace(steady, **{state: False})  # type: ignore[arg-type]
    assert ratio_of(steady, steady).enough
    assert not ratio_of(steady, unsteady).enough
    assert not ratio_of(unsteady, steady).enough
    rounds = (2,) * 5
    assert ratio_of(replace(steady, rounds=rounds), replace(unsteady, rounds=rounds)).enough


def test_a_throttled_gpu_is_unsteady() -> None:
    steady = Measurement((1.0,) * 10, 1.0, 10, warm=True, converged=True)
    moment = GpuMoment(1200, 2619, ("software power cap",), 700.0, 80, 0)
    assert ratio_of(steady, replace(steady, gpu=(replace(moment, throttle_reasons=()),))).enough
    assert not ratio_of(steady, replace(steady, gpu=(moment,))).enough
