"""The timing core on a clock that is told the time."""

import gc
from collections.abc import Iterable, Iterator, Mapping
from itertools import cycle, repeat

import numpy as np
import pytest
from numpy.typing import NDArray

from bench.backend import Session
from bench.measure import NO_DEVICE, measure
from bench.records import Measurement
from bench.stopping import Limits, is_settled
from bench.testing import FakeSession, TickingClock

EIGHTH = 0.125  # exact in binary, as are its sums


@pytest.fixture(autouse=True)
def collector() -> Iterator[None]:
    """Each test begins and ends with the garbage collector on."""
    gc.enable()
    yield
    gc.enable()


def timed(lengths: Iterable[float], limits: Limits | None = None) -> tuple[Measurement, list[str]]:
    session = FakeSession(lengths=lengths)
    found = measure(session, {}, limits or Limits(), session.clock).call
    calls = session.log[: 2 * (found.warmup_calls + found.count)]
    return found, calls


def test_every_call_is_run_then_wait_and_nothing_else() -> None:
    found, log = timed(repeat(EIGHTH))
    calls = found.warmup_calls + found.count
    assert log == ["run", "wait"] * calls


def test_the_clock_covers_run_and_wait() -> None:
    found, _ = timed(repeat(EIGHTH))
    assert set(found.seconds) == {EIGHTH}
    assert found.clock == "call"


def test_the_end_to_end_clock_covers_the_copies() -> None:
    class Copying(FakeSession):
        def load(self, inputs: Mapping[str, NDArray[np.float32]]) -> None:
            super().load(inputs)
            self.clock.tick(1.0)

        def outputs(self) -> dict[str, NDArray[np.floating]]:
            self.clock.tick(2.0)
            return super().outputs()

    session = Copying(lengths=repeat(EIGHTH))
    found = measure(session, {}, Limits(), session.clock)
    assert set(found.end_to_end.seconds) == {3 + EIGHTH}
    assert found.end_to_end.clock == "end-to-end"
    assert set(found.call.seconds) == {EIGHTH}
    passes = found.end_to_end.warmup_calls + found.end_to_end.count
    assert session.log[-4 * passes :] == ["load", "run", "wait", "outputs"] * passes


def test_what_is_copied_is_what_was_given() -> None:
    given = {"y": np.ones((1, 1, 4), np.float32)}

    class Watched(FakeSession):
        def load(self, inputs: Mapping[str, NDArray[np.float32]]) -> None:
            assert inputs is given
            super().load(inputs)

    session = Watched(lengths=repeat(EIGHTH))
    measure(session, given, Limits(), session.clock)
    assert "load" in session.log


def test_a_session_without_a_stream_has_no_device_clock() -> None:
    session = FakeSession(lengths=repeat(EIGHTH))
    assert measure(session, {}, Limits(), session.clock).device == NO_DEVICE


def test_a_session_with_a_stream_is_timed_by_its_events(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    class Events:
        def __init__(self, stream: int) -> None:
            asked.append(stream)

        def __call__(self, session: Session) -> float:
            session.run()
            session.wait()
            return EIGHTH / 2

    monkeypatch.setattr("bench.measure.DeviceClock", Events)
    session = FakeSession(lengths=repeat(EIGHTH))
    session.stream = 7
    found = measure(session, {}, Limits(), session.clock)
    assert asked == [7]
    assert isinstance(found.device, Measurement)
    assert (found.device.clock, set(found.device.seconds)) == ("device", {EIGHTH / 2})
    assert set(found.call.seconds) == {EIGHTH}


def test_constant_times_take_the_least_of_both_phases() -> None:
    found, _ = timed(repeat(EIGHTH))
    assert (found.warmup_calls, found.warmup_seconds) == (10, 1.25)
    assert found.count == 3.0 / EIGHTH
    assert found.warm and found.converged and found.states == ()


def test_fast_calls_warm_up_for_a_second() -> None:
    found, _ = timed(repeat(1 / 256))
    assert (found.warmup_calls, found.warmup_seconds) == (256, 1.0)
    assert found.count == 3 * 256


def test_warm_up_samples_are_not_among_the_samples() -> None:
    lengths = [0.5] * 10 + [0.25] * 1000
    found, _ = timed(lengths)
    assert found.warmup_seconds == 5.0
    assert set(found.seconds) == {0.25}


def test_samples_are_kept_raw_and_in_order() -> None:
    told = [0.125 + i / 4096 for i in range(8)]
    found, _ = timed([EIGHTH] * 10 + told * 1000)
    assert found.warmup_calls == 10
    assert list(found.seconds) == (told * 1000)[: found.count]


def test_a_drift_is_not_warm_and_ends_at_the_limit() -> None:
    falling = [0.5 * 0.98**i for i in range(100)] + [EIGHTH] * 1000
    found, _ = timed(falling, Limits(warmup=7.0, least=1.0, most=2.0))
    assert not found.warm and "not warm" in found.states
    assert 7.0 <= found.warmup_seconds < 7.0 + 0.5


def test_sampling_ends_at_its_limit() -> None:
    found, _ = timed(cycle((EIGHTH, 0.25)), Limits(warmup=2.0, least=3.0, most=10.0))
    assert not found.converged and "unconverged" in found.states
    assert 10.0 <= sum(found.seconds) < 10.0 + 0.25
    assert not is_settled(found.seconds)


def test_sampling_goes_on_until_the_interval_is_narrow() -> None:
    lengths = [EIGHTH] * 10 + [EIGHTH, 0.25] * 12 + [EIGHTH] * 1000
    found, _ = timed(lengths)
    assert found.converged and is_settled(found.seconds)
    assert 3.0 < sum(found.seconds) < 10.0, "longer than the least, shorter than the limit"


def test_one_long_call_ends_each_phase_at_its_limit() -> None:
    found, _ = timed(repeat(32.0))
    assert (found.warmup_calls, found.count) == (1, 1)
    assert not found.warm
    assert not found.converged, "one sample says nothing about an interval"


def test_a_short_limit_holds_although_it_is_below_the_least() -> None:
    found, _ = timed(cycle((EIGHTH, 0.25)), Limits(warmup=2.0, least=3.0, most=1.0))
    assert 1.0 <= sum(found.seconds) < 1.25


def test_time_between_calls_counts_for_the_limit_but_not_as_latency() -> None:
    """Whatever a check costs, sampling does not last longer than its limit."""
    clock = TickingClock()
    readings = iter(range(10**6))

    def slow_clock() -> float:
        next(readings)
        clock.tick(1 / 64)
        return clock.now

    session = FakeSession(clock=clock, lengths=cycle((EIGHTH, 0.25)))
    found = measure(session, {}, Limits(warmup=2.0, least=3.0, most=4.0), slow_clock).call
    assert sum(found.seconds) < 4.0


class Watching(FakeSession):
    """Remembers whether garbage could be collected during its passes."""

    def run(self) -> None:
        self.log.append(f"gc {gc.isenabled()}")
        super().run()


@pytest.mark.parametrize("enabled", [True, False])
def test_garbage_is_not_collected_meanwhile_and_the_state_comes_back(enabled: bool) -> None:
    if not enabled:
        gc.disable()
    session = Watching(lengths=repeat(EIGHTH))
    measure(session, {}, Limits(), session.clock)
    assert gc.isenabled() == enabled
    assert "gc False" in session.log and "gc True" not in session.log


@pytest.mark.parametrize("fails_in", ["run", "wait"])
def test_the_collector_comes_back_after_an_exception(fails_in: str) -> None:
    session = FakeSession(lengths=repeat(EIGHTH), fails_in=fails_in)
    with pytest.raises(RuntimeError, match="as it was told"):
        measure(session, {}, Limits(), session.clock)
    assert gc.isenabled()


def test_an_exception_while_sampling_is_not_swallowed() -> None:
    def breaking() -> Iterator[float]:
        yield from [EIGHTH] * 12
        raise OSError("the device is gone")

    session = FakeSession(lengths=breaking())
    with pytest.raises(OSError, match="gone"):
        measure(session, {}, Limits(), session.clock)
    assert gc.isenabled()
