"""Trials of a search: the worst output, and the front that none beats."""

from math import inf

import pytest

from bench.mixing_record import MemberTrials, Trial


def trial(snr_db: float, ratio: float) -> Trial:
    return Trial({"x": "int8"}, {"score": 10 ** (-snr_db / 10), "fmap_0": 1e-12}, ratio)


def test_the_worst_output_decides() -> None:
    found = Trial({}, {"score": 1e-2, "fmap_0": 1e-3}, 1.0)
    assert found.worst == "score" and found.snr_db == pytest.approx(20.0)
    assert Trial({}, {"score": 0.0}, 1.0).snr_db == inf
    assert Trial({}, {"score": inf}, 1.0).snr_db == -inf


def test_the_front_holds_what_none_beats_in_both() -> None:
    base, fast, slow, between = trial(110, 1.0), trial(20, 0.5), trial(19, 0.6), trial(60, 0.8)
    member = MemberTrials("mpd-11", 1.0, (base, slow, between, fast), chosen=2)
    assert member.front == (fast, between, base)
    assert member.choice is between


def test_of_two_as_fast_the_more_exact_is_on_the_front() -> None:
    coarse, fine = trial(30, 0.5), trial(40, 0.5)
    assert MemberTrials("mpd-11", 1.0, (coarse, fine)).front == (fine,)
