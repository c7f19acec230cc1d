"""Warm up, then sample, one call after the other, by each clock in turn."""

import gc
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from time import perf_counter

import numpy as np
from numpy.typing import NDArray

from bench.backend import Session
from bench.device_clock import DeviceClock
from bench.records import Clock, Measurement, Skipped
from bench.stopping import Limits, is_settled, is_warm

HostClock = Callable[[], float]
Take = Callable[[], float]

CHECK_GROWTH = 1.15  # the interval is computed each time sampling has lasted this much longer
BESIDE = 3  # the other clocks get this fraction of the time
NO_DEVICE = Skipped("runs on the host: the call clock is its clock")


@dataclass(frozen=True)
class Clocks:
    """The same session by three clocks, never mixed (rule 1 of docs/measurement.md)."""

    call: Measurement
    device: Measurement | Skipped
    end_to_end: Measurement


def measure(
    session: Session,
    inputs: Mapping[str, NDArray[np.float32]],
    limits: Limits,
    clock: HostClock = perf_counter,
) -> Clocks:
    """Latency by every clock that the session has.

    Args:
        session: ready to run.
        inputs: waveforms in the host's memory, which the end-to-end clock copies.
        limits: of the two phases of the call clock.
        clock: seconds, monotonic.
    """

    def call() -> float:
        start = clock()
        session.run()
        session.wait()
        return clock() - start

    def end_to_end() -> float:
        start = clock()
        session.load(inputs)
        session.run()
        session.wait()
        session.outputs()
        return clock() - start

    beside = replace(limits, least=limits.least / BESIDE, most=limits.most / BESIDE)
    gc.collect()
    collecting = gc.isenabled()
    gc.disable()
    try:
        by_call = _measure("call", call, limits, clock)
        device: Measurement | Skipped = NO_DEVICE
        if session.stream is not None:
            events = DeviceClock(session.stream)
            device = _measure("device", lambda: events(session), beside, clock)
        return Clocks(by_call, device, _measure("end-to-end", end_to_end, beside, clock))
    finally:
        if collecting:
            gc.enable()


def _measure(name: Clock, take: Take, limits: Limits, clock: HostClock) -> Measurement:
    warmup, warm = _warm_up(take, limits, clock)
    seconds, converged = _sample(take, limits, clock)
    return Measurement(tuple(seconds), sum(warmup), len(warmup), warm, converged, name)


def _warm_up(take: Take, limits: Limits, clock: HostClock) -> tuple[list[float], bool]:
    seconds: list[float] = []
    start = clock()
    while True:
        seconds.append(take())
        if is_warm(seconds):
            return seconds, True
        if clock() - start >= limits.warmup:
            return seconds, False


def _sample(take: Take, limits: Limits, clock: HostClock) -> tuple[list[float], bool]:
    seconds: list[float] = []
    start = clock()
    check_at = limits.least
    while True:
        seconds.append(take())
        elapsed = clock() - start
        if elapsed >= min(check_at, limits.most):
            if is_settled(seconds):
                return seconds, True
            if elapsed >= limits.most:
                return seconds, False
            check_at = elapsed * CHECK_GROWTH
