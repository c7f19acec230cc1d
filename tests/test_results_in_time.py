"""A process that says something, crashes, or does not end."""

import time

import psutil
import pytest

from bench.results.in_time import run_python

STARTS_ANOTHER = """
import subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"],
                         start_new_session=True)
print(child.pid, flush=True)
time.sleep(60)
"""


def test_what_it_says_is_told_with_its_errors() -> None:
    ended = run_python(["-c", "import sys; print('a\\n\\n b'); sys.exit('no')"], 60)
    assert set(ended.lines) == {"a", "b", "no"}
    assert ended.code == 1 and ended.finished and ended.how == "exit code 1"


def test_a_crash_is_told_after_what_it_said() -> None:
    code = "import os; print('first', flush=True); os.abort()"
    ended = run_python(["-c", code], 60)
    assert "first" in ended.lines
    assert ended.how == "ended by SIGABRT" and not ended.finished


def test_what_takes_too_long_is_ended_with_all_that_it_started() -> None:
    started = time.monotonic()
    ended = run_python(["-c", STARTS_ANOTHER], 3)
    assert time.monotonic() - started < 30
    assert ended.code is None and ended.how == "ended after 3 s" and not ended.finished
    (child,) = map(int, ended.lines)
    with pytest.raises(psutil.NoSuchProcess):
        _alive(child)


def _alive(pid: int) -> None:
    for _ in range(50):
        if psutil.Process(pid).status() == psutil.STATUS_ZOMBIE:
            raise psutil.NoSuchProcess(pid)
        time.sleep(0.1)
