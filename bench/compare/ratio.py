"""How many times as long: the ratio of two medians and its interval, from raw samples."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bench.records import Measurement
from bench.stopping import CONFIDENCE, LEAST_SAMPLES

LEAST_ROUNDS = 5
RESAMPLES = 5000

Seconds = NDArray[np.float64]


@dataclass(frozen=True)
class Ratio:
    """What ``after`` takes over what ``before`` takes.

    Attributes:
        before: seconds; the median, or the median of the medians of the rounds.
        after: likewise.
        low: end of the bootstrap 95 % confidence interval of after / before.
        high: its other end.
        by_rounds: whether rounds were resampled, so that drift between them is in the interval.
        enough: whether both have the samples that an interval of a median needs, and rounds where
            either was not warm, did not converge or was throttled.
    """

    before: float
    after: float
    low: float
    high: float
    by_rounds: bool
    enough: bool

    @property
    def value(self) -> float:
        """1 is equal, 2 is twice as long."""
        return self.after / self.before


def ratio_of(before: Measurement, after: Measurement) -> Ratio:
    """Compare two measurements; the same at every call.

    Where both have at least 5 rounds, rounds are drawn first, then samples within each.
    """
    return ratio_of_sums((before,), (after,))


def ratio_of_sums(before: Sequence[Measurement], after: Sequence[Measurement]) -> Ratio:
    """Compare what several networks take together, each measured on its own."""
    every = (*before, *after)
    by_rounds = all(len(each.round_medians) >= LEAST_ROUNDS for each in every)
    groups = [_rounds(each) if by_rounds else [np.asarray(each.seconds)] for each in every]
    rng = np.random.default_rng(0)
    resampled = [_resampled(each, rng) for each in groups]
    middles = [float(np.median([np.median(each) for each in group])) for group in groups]
    parts = slice(len(before)), slice(len(before), None)
    old, new = (np.sum(resampled[part], axis=0) for part in parts)
    tail = (1 - CONFIDENCE) / 2
    low, high = np.quantile(new / old, (tail, 1 - tail))
    # without rounds nothing tells a drift of the machine from a change
    steady = by_rounds or not any(each.states for each in every)
    enough = steady and min(each.count for each in every) >= LEAST_SAMPLES
    first, second = (sum(middles[part]) for part in parts)
    return Ratio(first, second, float(low), float(high), by_rounds, enough)


def _rounds(measurement: Measurement) -> list[Seconds]:
    ends = np.cumsum(measurement.rounds)
    parts = np.split(np.asarray(measurement.seconds), ends[:-1])
    return [part for part in parts if part.size]


def _resampled(rounds: list[Seconds], rng: np.random.Generator) -> Seconds:
    """Medians of the medians of as many rounds, drawn with replacement; (RESAMPLES,)."""
    drawn = rng.integers(len(rounds), size=(RESAMPLES, len(rounds)))
    medians = np.empty(drawn.shape)
    for number, samples in enumerate(rounds):
        here = drawn == number
        medians[here] = _bootstrap_medians(np.sort(samples), int(here.sum()), rng)
    return np.asarray(np.median(medians, axis=1))


def _bootstrap_medians(ordered: Seconds, count: int, rng: np.random.Generator) -> Seconds:
    """Medians of resamples, exactly distributed, without drawing the resamples; (count,).

    A draw from n sorted samples is the one at floor(n u) with u uniform, so the k-th smallest of n
    draws is the one at the k-th smallest of n uniforms, whose law is Beta(k, n - k + 1). For an
    even n the next one lies above it like the smallest of the n - k uniforms that are left.
    """
    size = len(ordered)
    rank = (size + 1) // 2
    lower = rng.beta(rank, size - rank + 1, count)
    upper = lower
    if size % 2 == 0:
        upper = lower + (1 - lower) * rng.beta(1, size - rank, count)
    places = (np.minimum((size * each).astype(int), size - 1) for each in (lower, upper))
    return np.asarray(sum(ordered[place] for place in places) / 2)
