"""The timing core on a clock that is told the time."""

import gc
from collections.abc import Iterable, Iterator, Mapping
from itertools import cycle, repeat

import numpy as np
import pytest
from numpy.typing import NDArray

from bench.backend import Session
from bench.pool import Inputs
from bench.stopping import Limits
from bench.timing.measure import BLOCK_SECONDS, Timer, no_collection, passes_ahead
from fakes import FakeSession, TickingClock

EIGHTH = 0.125  # exact in binary, as are its sums


@pytest.fixture(autouse=True)
def collector() -> Iterator[None]:
    """Each test begins and ends with the garbage collector on."""
    gc.enable()
    yield
    gc.enable()


def timer_of(session: FakeSession, pool: int = 1) -> Timer:
    inputs = [{"y": np.full((1, 1, 4), turn, np.float32)} for turn in range(pool)]
    return Timer(session, inputs, session.clock)


def fake(lengths: Iterable[float]) -> FakeSession:
    return FakeSession(lengths=lengths)


class Costly(FakeSession):
    """Copies take time too: a second in, two out."""

    def load(self, inputs: Mapping[str, NDArray[np.float32]]) -> None:
        super().load(inputs)
        self.clock.tick(1.0)

    def outputs(self) -> dict[str, NDArray[np.floating]]:
        self.clock.tick(2.0)
        return super().outputs()


def test_the_call_clock_covers_run_and_wait_and_nothing_else() -> None:
    session = Costly(lengths=repeat(EIGHTH))
    assert timer_of(session).call() == EIGHTH
    assert session.log == ["load", "wait", "run", "wait"]


def test_the_end_to_end_clock_covers_the_copies() -> None:
    session = Costly(lengths=repeat(EIGHTH))
    assert timer_of(session).end_to_end() == 3 + EIGHTH
    assert session.log == ["load", "run", "wait", "outputs"]


def test_the_same_input_again_is_not_copied() -> None:
    session = Costly(lengths=repeat(EIGHTH))
    assert timer_of(session).again() == EIGHTH
    assert session.log == ["run", "wait"]


def test_throughput_is_the_time_of_one_of_many_passes() -> None:
    session = fake(cycle((EIGHTH, 0.25)))
    # a fake's rest of a pass is waited for once, as a stream's is
    assert timer_of(session).throughput(4) == pytest.approx((0.75 / 4 + 0.25 * 3 / 4) / 4)
    assert session.log == ["load", "wait", "run", "run", "run", "run", "wait"]


@pytest.mark.parametrize(("seconds", "passes"), [(1.0, 1), (BLOCK_SECONDS / 4, 4), (0.0009, 56)])
def test_passes_ahead_fill_a_moment(seconds: float, passes: int) -> None:
    assert passes_ahead(seconds) == passes


def test_inputs_rotate() -> None:
    seen: list[float] = []

    class Seeing(FakeSession):
        def load(self, inputs: Mapping[str, NDArray[np.float32]]) -> None:
            super().load(inputs)
            seen.append(float(inputs["y"][0, 0, 0]))

    timer = timer_of(Seeing(lengths=repeat(EIGHTH)), pool=3)
    for _ in range(2):
        timer.call()
        timer.end_to_end()
    timer.throughput(2)
    assert seen == [0, 1, 2, 0, 1]
    assert timer.rotate() == 2


def test_a_session_with_a_stream_is_timed_by_its_events(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    class Events:
        def __init__(self, stream: int) -> None:
            asked.append(stream)

        def __call__(self, session: Session) -> float:
            session.run()
            session.wait()
            return EIGHTH / 2

    monkeypatch.setattr("bench.timing.measure.DeviceClock", Events)
    session = fake(repeat(EIGHTH))
    session.stream = 7
    timer = timer_of(session)
    assert timer.device() == EIGHTH / 2
    assert timer.call() == EIGHTH
    assert asked == [7]


def warmed(lengths: Iterable[float], limits: Limits | None = None) -> tuple[list[float], bool]:
    return timer_of(fake(lengths)).warm_up(limits or Limits())


def test_constant_times_are_warm_after_ten_calls_and_a_second() -> None:
    assert warmed(repeat(EIGHTH)) == ([EIGHTH] * 10, True)
    assert warmed(repeat(1 / 256)) == ([1 / 256] * 256, True)


def test_a_drift_is_not_warm_and_ends_at_the_limit() -> None:
    seconds, warm = warmed([0.5 * 0.98**i for i in range(100)], Limits(warmup=7.0))
    assert not warm
    assert 7.0 <= sum(seconds) < 7.0 + 0.5


def test_one_long_call_ends_the_warm_up() -> None:
    assert warmed(repeat(32.0)) == ([32.0], False)


def test_samples_are_raw_and_in_order_for_so_long() -> None:
    told = [EIGHTH + i / 4096 for i in range(100)]
    session = fake(told)
    timer = timer_of(session)
    found = timer.sample(timer.call, 3.0)
    assert found == told[: len(found)]
    assert 3.0 <= sum(found) < 3.0 + EIGHTH + 100 / 4096


def test_a_round_has_at_least_one_sample() -> None:
    timer = timer_of(fake(repeat(32.0)))
    assert timer.sample(timer.call, 0.0) == [32.0]


def test_time_between_calls_counts_for_the_round_but_not_as_latency() -> None:
    clock = TickingClock()

    def slow_clock() -> float:
        clock.tick(1 / 64)
        return clock.now

    session = FakeSession(clock=clock, lengths=repeat(EIGHTH))
    timer = Timer(session, [{}], slow_clock)
    found = timer.sample(timer.call, 4.0)
    assert set(found) == {EIGHTH + 1 / 64}
    assert sum(found) < 4.0


@pytest.mark.parametrize("enabled", [True, False])
def test_garbage_is_not_collected_meanwhile_and_the_state_comes_back(enabled: bool) -> None:
    if not enabled:
        gc.disable()
    with no_collection():
        assert not gc.isenabled()
    assert gc.isenabled() == enabled


def test_the_collector_comes_back_after_an_exception() -> None:
    def fail() -> None:
        with no_collection():
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert gc.isenabled()


def test_an_exception_while_sampling_is_not_swallowed() -> None:
    def breaking() -> Iterator[float]:
        yield from [EIGHTH] * 12
        raise OSError("the device is gone")

    timer = timer_of(fake(breaking()))
    with pytest.raises(OSError, match="gone"):
        timer.sample(timer.call, 9.0)


def test_the_pool_is_only_read() -> None:
    pool: list[Inputs] = [{"y": np.ones((1, 1, 4), np.float32)}]
    session = fake(repeat(EIGHTH))
    timer = Timer(session, pool, session.clock)
    timer.call()
    assert pool[0]["y"].tolist() == [[[1, 1, 1, 1]]]
