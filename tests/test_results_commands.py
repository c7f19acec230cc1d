"""Timing command lines: fresh folders, or the same one a second time."""

import subprocess

import pytest

from bench.results.commands import GOALS, Goal, Timing, markdown, time_command


def test_each_run_has_an_empty_folder() -> None:
    timing = time_command(Goal("mkdir OUT", 9, 0, 2))
    assert len(timing.seconds) == len(timing.gigabytes) == 2
    assert min(timing.seconds) > 0 and timing.met


def test_a_second_time_is_in_the_same_folder() -> None:
    with pytest.raises(subprocess.CalledProcessError):
        time_command(Goal("mkdir OUT", 9, 0, 1, again=True))
    assert len(time_command(Goal("mkdir -p OUT", 9, 0, 3, again=True)).seconds) == 3


def test_a_goal_is_missed_by_time_or_by_memory() -> None:
    goal = Goal("x", 1.0, 2.0, 3)
    assert Timing(goal, (0.9, 0.9, 9.0), (2.0, 1.0, 1.0)).met
    assert not Timing(goal, (0.9, 1.1, 1.1), (2.0, 1.0, 1.0)).met
    assert not Timing(goal, (0.9, 0.9, 0.9), (2.1, 1.0, 1.0)).met


def test_the_table_tells_every_goal() -> None:
    page = markdown([Timing(goal, (1.0,), (1.0,)) for goal in GOALS])
    for goal in GOALS:
        assert goal.told in page
    assert page.count("| `") == len(GOALS)
