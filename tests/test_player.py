"""A player at real time beside sums that were done by hand."""

import pytest

from bench.player import Pace, finished, first_output, underruns

# An element lasts 1 s. Two elements a chunk; a call waits for 3 more, or its output is 3.5 late.
CONTEXT = Pace(chunk=2, ahead=3, delay=0.0, length=7)
STATE = Pace(chunk=2, ahead=0, delay=3.5, length=7)


def test_what_a_call_waits_for_and_what_is_out_after_it() -> None:
    assert (CONTEXT.calls, CONTEXT.first, CONTEXT.wait) == (4, 0, 5)
    assert [CONTEXT.there(call) for call in range(4)] == [5, 7, 7, 7], "the end is seen"
    assert [CONTEXT.out(call) for call in range(4)] == [2, 4, 6, 7]
    assert (STATE.calls, STATE.first, STATE.wait) == (6, 1, 4)
    assert [STATE.there(call) for call in range(6)] == [2, 4, 6, 7, 7, 7]
    assert [STATE.out(call) for call in range(6)] == [0, 0.5, 2.5, 4.5, 6.5, 7]


def test_a_delay_of_whole_chunks_gives_nothing_before_the_next_one() -> None:
    assert Pace(2, 0, 4.0, 9).first == 2
    assert Pace(2, 0, 3.999, 9).first == 1


def test_a_call_begins_when_its_elements_are_there_and_the_one_before_has_ended() -> None:
    assert [*finished(CONTEXT, 1.0, (0.5, 0.5, 1.0, 0.25))] == [5.5, 7.5, 8.5, 8.75]
    assert [*finished(CONTEXT, 1.0, (4.0, 0.5))] == [9.0, 9.5]
    assert [*finished(STATE, 0.5, (0.25, 0.25, 3.0, 0.5))] == [1.25, 2.25, 6.0, 6.5]


def test_calls_that_were_computed_while_others_waited_cost_no_time() -> None:
    assert first_output(CONTEXT, 1.0, (0.5, 9.0)) == 5.5
    assert first_output(STATE, 1.0, (1.5, 0.5, 9.0)) == 4.5, "4 elements, and the second call"
    assert first_output(STATE, 1.0, (2.5, 0.5)) == 5.0, "the first ended at 4.5"


@pytest.mark.parametrize(
    ("pace", "calls", "late"),
    [
        # It begins at 7 s, which 2 s of computing reach; then every 2 s, and the last chunk is 1.
        (CONTEXT, (1.9, 1.9, 1.9, 1.9), 0),  # there at 6.9, 8.9, 10.8, 12.7 for 7, 9, 11, 13
        (CONTEXT, (1.9, 2.1, 1.5, 1.0), 1),  # 9.1 for 9, then 10.6 for 11.1, 11.6 for 13.1
        (CONTEXT, (2.5, 1.0, 2.0, 2.0), 1),  # 7.5 for 7, then 8.5 for 9.5
        (CONTEXT, (3.0, 3.0, 3.0, 3.0), 4),  # 8, 11, 14, 17 for 7, 10, 13, 16
        (CONTEXT, (1.9, 2.1), 1),  # a pass that was cut
    ],
)
def test_chunks_that_are_not_there_when_those_before_have_been_played(
    pace: Pace, calls: tuple[float, ...], late: int
) -> None:
    assert underruns(pace, 1.0, calls) == (late, len(calls))


@pytest.mark.parametrize(
    ("calls", "late"),
    [
        # It begins at 7.5 s; half an element comes out of the second call, 2 of each that follows.
        ((1.9, 1.9, 1.9, 1.9, 0.1, 0.1), 0),  # 5.9, 7.9, 9.8, 9.9, 10.0 for 7.5, 8, 10, 12, 14
        ((1.9, 1.9, 2.1, 0.1, 0.1, 0.1), 1),  # 8.1 for 8
        ((6.0, 1.9, 0.1, 0.1, 0.1, 0.1), 1),  # 9.9 for 7.5, and then 10.0 for 10.4
    ],
)
def test_a_player_waits_for_what_is_late_by_its_delay(calls: tuple[float, ...], late: int) -> None:
    assert underruns(STATE, 1.0, calls) == (late, 5)
