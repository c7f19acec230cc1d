"""Passes of a signal's calls, timed by a clock that is told the time."""

import random
from typing import cast

import numpy as np
import pytest

from bench.backend import Session
from bench.player import Pace
from bench.stream import race as racing
from bench.stream.caller import Caller
from bench.stream.feed import feed_of
from bench.stream.race import Racer, keeps_up, race, sustained
from fakes import TickingClock

SIGNAL = {"x": np.ones((1, 1, 10), np.float32)}


class Counting:
    """A session with a state that counts its calls, each a second longer than the one before."""

    def __init__(self, clock: TickingClock) -> None:
        self.clock = clock
        self.state = np.zeros((1,), np.int64)
        self.seen: list[int] = []

    def load(self, inputs: dict[str, np.ndarray]) -> None:
        self.state = inputs["state_count"].copy()
        self.seen.append(int(self.state[0]))

    def run(self) -> None:
        self.clock.tick(1.0 + self.seen[-1])

    def wait(self) -> None:
        self.clock.tick(0.0)

    def outputs(self) -> dict[str, np.ndarray]:
        return {"y": self.state.astype(np.float32), "next_state_count": self.state + 1}


def racer(pace: Pace) -> tuple[Racer, Counting]:
    clock = TickingClock()
    session = Counting(clock)
    feed = feed_of(SIGNAL, {"x": 2}, pace, 0, ())
    states = {"state_count": np.zeros((1,), np.int64)}
    caller = Caller(cast("Session", session), feed, states, clock)
    return Racer(caller, clock), session


def test_each_signal_begins_with_zeros_and_goes_on_with_what_was_left() -> None:
    found, session = racer(Pace(4, 0, 0.0, 10))
    found.round(0.0)
    assert session.seen == [0, 0], "one that does not count, and at least one that does"
    found.round(6.0)
    assert session.seen[2:] == [0, 0, 1, 2], "1 + 2 + 3 seconds"
    assert found.passes == [(1.0,), (1.0, 2.0, 3.0)]


def test_a_pass_is_cut_when_the_time_is_over_but_not_before_the_first_output() -> None:
    found, _ = racer(Pace(4, 0, 0.0, 10))
    found.round(8.0)
    assert found.passes == [(1.0, 2.0, 3.0), (1.0, 2.0)]
    late, _ = racer(Pace(4, 0, 9.0, 10))
    late.round(0.0)
    assert late.passes == [(1.0, 2.0, 3.0)], "8 elements give nothing, 12 give audio"


def test_a_round_has_no_more_calls_than_a_record_should_hold(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(racing, "MOST_CALLS", 7)
    found, _ = racer(Pace(4, 0, 0.0, 10))
    found.round(1e9)
    assert [len(each) for each in found.passes] == [3, 3, 1]


def test_the_outputs_of_the_first_pass_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(racing, "is_warm", lambda seconds: len(seconds) >= 5)
    found, session = racer(Pace(4, 0, 0.0, 10))
    outputs = found.warm_up(1e9)
    assert [each["y"].item() for each in outputs] == [0, 1, 2]
    assert session.seen == [0, 1, 2, 0, 1], "it went on until it was warm"
    again, _ = racer(Pace(4, 0, 0.0, 10))
    assert len(again.warm_up(2.5)) == 2, "1 and 2 seconds: the time is over"


def test_all_take_turns() -> None:
    racers = [racer(Pace(10, 0, 0.0, 10))[0] for _ in range(3)]
    race(racers, 4, 0.0, random.Random(0))
    assert [len(each.passes) for each in racers] == [4, 4, 4]


def test_so_many_streams_are_sustained_that_19_of_20_calls_keep_up() -> None:
    assert keeps_up([1.0] * 19 + [9.0], 1.0)
    assert not keeps_up([1.0] * 18 + [9.0] * 2, 1.0)
    found, _ = racer(Pace(10, 0, 0.0, 10))
    assert sustained(found.caller, 1.0, 20) and not sustained(found.caller, 0.9, 20)
