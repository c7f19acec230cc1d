"""When a runtime is warm, and when enough was sampled."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from hifigan_ref.errors import HifiError

WARM_CALLS = 10
WARM_SECONDS = 1.0
WARM_WINDOWS = 3
WARM_SPREAD = 0.02
WINDOW_SHARE = 5  # a window is this fraction of the warm-up so far

CONFIDENCE = 0.95
HALF_WIDTH = 0.01
RESAMPLES = 1000
LEAST_SAMPLES = 6
BESIDE = 3  # every clock but the call clock gets this fraction of the time
MOST_SECONDS = 10**6  # eleven days; no clock of a system waits for ever
BATCH_VALUES = 1_000_000  # that are resampled at once, which bounds the memory


@dataclass(frozen=True)
class Limits:
    """How long one measurement may take, in seconds.

    Attributes:
        warmup: at most, before the first sample.
        least: of sampling, at least.
        most: of sampling, at most.
    """

    warmup: float = 10.0
    least: float = 3.0
    most: float = 10.0

    @classmethod
    def up_to(cls, most: float) -> "Limits":
        """The defaults, none above ``most``. Raises HifiError where that is out of range."""
        check_seconds("limit", most)
        return cls(min(cls.warmup, most), min(cls.least, most), most)


def check_seconds(what: str, seconds: float) -> None:
    """Raises HifiError for a time that nobody can wait."""
    if not 0 < seconds <= MOST_SECONDS:
        raise HifiError(
            f"a {what} of {seconds:g} seconds: choose more than 0 and at most {MOST_SECONDS}"
        )


def is_warm(seconds: Sequence[float]) -> bool:
    """At least 10 calls and 1 s, and the medians of the last three windows within 2 %.

    Windows grow with the warm-up, so that a drift slower than a fixed window is seen too.
    """
    if len(seconds) < WARM_CALLS or sum(seconds) < WARM_SECONDS:
        return False
    size = max(2, len(seconds) // WINDOW_SHARE)
    last = np.asarray(seconds[-WARM_WINDOWS * size :])
    medians = [float(np.median(window)) for window in last.reshape(-1, size)]
    return max(medians) <= min(medians) * (1 + WARM_SPREAD)


def is_settled(seconds: Sequence[float]) -> bool:
    """Whether the 95 % interval of the median lies within 1 % of it on both sides.

    Below 6 samples not even their minimum and maximum enclose the median with 95 % confidence.
    """
    if len(seconds) < LEAST_SAMPLES:
        return False
    median = float(np.median(seconds))
    low, high = median_interval(seconds)
    return max(median - low, high - median) <= HALF_WIDTH * median


def median_interval(seconds: Sequence[float]) -> tuple[float, float]:
    """Bootstrap (percentile) confidence interval of the median, seconds; the same at every call."""
    from scipy.stats import bootstrap

    if len(set(seconds)) == 1:
        return (seconds[0], seconds[0])
    found = bootstrap(
        (np.asarray(seconds),),
        np.median,
        confidence_level=CONFIDENCE,
        n_resamples=RESAMPLES,
        method="percentile",
        batch=max(1, BATCH_VALUES // len(seconds)),
        rng=np.random.default_rng(0),
    )
    interval = found.confidence_interval
    return (float(interval.low), float(interval.high))
