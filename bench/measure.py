"""Warm up, then sample, one call after the other."""

import gc
from collections.abc import Callable
from time import perf_counter

from bench.backend import Session
from bench.records import Measurement
from bench.stopping import Limits, is_settled, is_warm

Clock = Callable[[], float]

CHECK_GROWTH = 1.15  # the interval is computed each time sampling has lasted this much longer


def measure(session: Session, limits: Limits, clock: Clock = perf_counter) -> Measurement:
    """Latency by the call clock: host time from the start of ``run`` to the end of ``wait``.

    Args:
        session: ready to run.
        limits: of the two phases.
        clock: seconds, monotonic.
    """
    gc.collect()
    collecting = gc.isenabled()
    gc.disable()
    try:
        warmup, warm = _warm_up(session, limits, clock)
        seconds, converged = _sample(session, limits, clock)
    finally:
        if collecting:
            gc.enable()
    return Measurement(tuple(seconds), sum(warmup), len(warmup), warm, converged)


def _warm_up(session: Session, limits: Limits, clock: Clock) -> tuple[list[float], bool]:
    seconds: list[float] = []
    start = clock()
    while True:
        seconds.append(_call(session, clock))
        if is_warm(seconds):
            return seconds, True
        if clock() - start >= limits.warmup:
            return seconds, False


def _sample(session: Session, limits: Limits, clock: Clock) -> tuple[list[float], bool]:
    seconds: list[float] = []
    start = clock()
    check_at = limits.least
    while True:
        seconds.append(_call(session, clock))
        elapsed = clock() - start
        if elapsed >= min(check_at, limits.most):
            if is_settled(seconds):
                return seconds, True
            if elapsed >= limits.most:
                return seconds, False
            check_at = elapsed * CHECK_GROWTH


def _call(session: Session, clock: Clock) -> float:
    start = clock()
    session.run()
    session.wait()
    return clock() - start
