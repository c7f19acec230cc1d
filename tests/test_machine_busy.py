"""What others take of the machine: counted apart from what is ours, and told before any number."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import psutil
import pytest

import cli
from bench.hardware import Others, crowd
from bench.machine import busy
from bench.machine.busy import Meter, Moment, cpus_and_cores
from bench.records import NOT_TAKEN, Skipped
from bench.render.formats import csv_lines
from bench.render.views.report import document
from fakes import fake_report, fake_result, run_main
from shown import printed

MOMENT = busy.moment  # before a fixture stands in for it
BUSY = Others(1.42, 2, 0.0)
TOLD = "this machine was busy: other processes took 1.4 of 2 cores; times and ratios are not to be"
REPORT = fake_report(
    replace(fake_result("torch"), others=BUSY),
    replace(fake_result("ort-cpu"), others=Others(0.9, 2, 0.0)),
    replace(fake_result("openvino"), others=Others(0.1, 2, 0.0)),
    fake_result("old"),
)


@pytest.fixture
def looks(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """The counters at one look after the other, on 4 CPUs of 2 cores."""

    def give(*found: tuple[float, float, float]) -> None:
        moments = iter(found)
        monkeypatch.setattr(busy, "moment", lambda: Moment(*next(moments)))

    monkeypatch.setattr(busy, "cpus_and_cores", lambda: (4, 2))
    return give


def test_what_is_ours_is_not_taken_by_others(looks: Callable[..., None]) -> None:
    looks((10, 100, 50), (12, 107, 54), (20, 200, 80), (22, 203, 80))
    meter = Meter(threads=1)
    for _ in range(2):
        with meter.running():
            pass
    assert meter.found() == Others((3 + 3) / 4, 4, 1.0)


@pytest.mark.parametrize(
    ("end", "taken"),
    [((1, 0.01, 0.02), 0.0), ((1, 9, 0), 4.0)],
    ids=["counters move in steps", "more than there is"],
)
def test_no_less_than_nothing_and_no_more_than_all(
    looks: Callable[..., None], end: tuple[float, float, float], taken: float
) -> None:
    looks((0, 0, 0), end)
    meter = Meter(2)
    with meter.running():
        pass
    assert meter.found() == Others(taken, 4, 0.0)


def test_nothing_that_ran_tells_nothing() -> None:
    assert Meter(1).found() == NOT_TAKEN


def test_what_fails_within_still_counts(looks: Callable[..., None]) -> None:
    looks((0, 0, 0), (1, 1, 0))
    meter = Meter(1)
    with pytest.raises(KeyboardInterrupt), meter.running():
        raise KeyboardInterrupt
    assert meter.found() == Others(1.0, 4, 1.0)


@pytest.mark.parametrize(
    ("taken", "spare", "crowded"),
    [
        (0.2, 0.0, False),  # what any system does
        (0.3, 0.0, True),
        (1.2, 1.0, False),  # a core that we do not use
        (1.3, 1.0, True),
        (30.0, 62.0, False),
    ],
)
def test_others_crowd_us_where_they_take_more_than_we_leave(
    taken: float, spare: float, crowded: bool
) -> None:
    assert Others(taken, 64, spare).crowd == crowded


def test_the_worst_of_a_crowd_is_told() -> None:
    quiet, some, most = Others(9.0, 64, 62.0), Others(0.5, 2, 0.0), Others(1.5, 2, 0.0)
    assert crowd([NOT_TAKEN, quiet, some, most, Skipped("why")]) == most
    assert crowd([NOT_TAKEN, quiet]) is None


# What the system counts


class Times(NamedTuple):
    """As Linux has it."""

    user: float
    nice: float
    system: float
    idle: float
    iowait: float
    irq: float
    softirq: float
    steal: float
    guest: float
    guest_nice: float


class Few(NamedTuple):
    """As others have it."""

    user: float
    system: float
    idle: float


@pytest.mark.parametrize(
    ("used", "expected"),
    [
        ([Times(1, 2, 4, 1000, 2000, 8, 16, 32, 1, 1)] * 2, 63.0 * 2),
        ([Few(1, 2, 1000), Few(4, 8, 1000)], 15.0),
    ],
)
def test_every_kind_of_work_counts_once(
    monkeypatch: pytest.MonkeyPatch, used: list[object], expected: float
) -> None:
    monkeypatch.setattr(psutil, "cpu_times", lambda percpu: used if percpu else None)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1}, raising=False)
    assert MOMENT().everybody == expected


def test_cpus_that_we_may_not_use_do_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        psutil, "cpu_times", lambda percpu: [Few(n, 0, 0) for n in (1, 2, 4, 8)] if percpu else None
    )
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {1, 3}, raising=False)
    assert MOMENT().everybody == 10
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {1, 30}, raising=False)
    assert MOMENT().everybody == 15, "numbered otherwise"


def test_a_system_that_tells_nothing_is_not_busy(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(percpu: bool) -> None:
        raise PermissionError(percpu)

    monkeypatch.setattr(psutil, "cpu_times", refuse)
    assert (MOMENT().everybody, MOMENT().ours) == (0.0, 0.0)


def test_cores_are_those_of_the_cpus_that_we_may_use(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bench.machine.topology.CPUS", tmp_path)
    monkeypatch.setattr(psutil, "cpu_count", lambda logical=True: 16 if logical else 8)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 8, 1, 9}, raising=False)
    assert cpus_and_cores() == (4, 2)


BURN = """
import sys, time
while time.process_time() < 0.3:
    pass
print("burnt", flush=True)
sys.stdin.readline()
"""


@pytest.fixture
def child() -> Iterator["subprocess.Popen[str]"]:
    """Uses 0.3 s of CPU time, says so, and stays until it is told to end."""
    command = [sys.executable, "-c", BURN]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, text=True, stdin=pipe, stdout=pipe) as process:
        yield process


def test_children_are_ours_while_they_live_and_after(child: "subprocess.Popen[str]") -> None:
    before = MOMENT().ours
    assert child.stdout is not None
    assert child.stdout.readline() == "burnt\n"
    alive = MOMENT().ours
    assert alive - before > 0.25
    child.communicate("\n")
    assert MOMENT().ours - alive > -0.05, "what it used is in our sum of children"


# What is told


def test_a_report_warns_of_it() -> None:
    (line,) = document(REPORT).warnings
    assert TOLD in line
    assert document(fake_report(fake_result("old"), *REPORT.results[2:])).warnings == ()


def test_a_row_that_was_disturbed_says_so_first() -> None:
    page = printed(document(REPORT))
    assert "torch: busy: other processes took 1.4 of 2 cores" in page
    assert "ort-cpu: busy: other processes took 0.9 of 2 cores" in page
    assert "openvino: busy" not in page and "old: busy" not in page
    assert csv_lines.dump(document(REPORT)).decode().count("busy: other processes took") == 2


@pytest.mark.parametrize("command", ["bench", "tune", "mixed"])
def test_a_busy_machine_is_told_before_anything_is_measured(
    command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Begun(Exception):  # noqa: N818 - none
        pass

    def begin(*_: object, **__: object) -> None:
        raise Begun

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(busy, "now", lambda threads: Others(2.0, 2, 2.0 - threads))
    told: list[str] = []
    monkeypatch.setattr("typer.echo", lambda line, err=False: told.append(f"{line}{err}"))
    for name in ("bench.run.run", "bench.tune.run.look", "bench.mix.command.mix"):
        monkeypatch.setattr(name, begin)
    mixed = ("onnx", "--period", 11, "--precision", "mixed", "--for", "ort-cpu", "--min-snr", 30)
    main, arguments = {
        "bench": (cli.bench_main, ("--period", 11, "--backend", "ort-cpu", "--threads", 2)),
        "tune": (cli.bench_main, ("tune", "--period", 11, "--threads", 2)),
        "mixed": (cli.export_main, mixed),
    }[command]
    monkeypatch.setattr("bench.mix.command.usable_cores", lambda: 2)
    with pytest.raises(Begun):
        run_main(main, *arguments)
    (line,) = told
    assert line == (
        "warning: this machine is busy: other processes took 2.0 of 2 cores; times and ratios "
        "cannot be trustedTrue"
    )
    monkeypatch.setattr(busy, "now", lambda threads: Others(0.1, 2, 2.0 - threads))
    with pytest.raises(Begun):
        run_main(main, *arguments)
    assert told == [line]
