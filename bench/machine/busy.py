"""How much of the machine other processes take, while something is measured or right now."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from time import perf_counter, sleep

import typer

from bench.hardware import Others, crowd
from bench.hole import NOT_TAKEN, Skipped
from bench.machine.topology import cores_of

SECONDS = 0.5  # of looking, before anything runs
AT_WORK = ("user", "nice", "system", "irq", "softirq", "steal")  # of those that a system counts


@dataclass(frozen=True)
class Moment:
    """Counters at one time, seconds.

    Attributes:
        clock: monotonic.
        everybody: CPU time that was used on the CPUs that this process may run on.
        ours: CPU time of this process and its descendants.
    """

    clock: float
    everybody: float
    ours: float


class Meter:
    """Sums over stretches of time what others take. Others are all but us and our descendants.

    Args:
        threads: that we use.
    """

    def __init__(self, threads: int) -> None:
        self._threads = threads
        self._seconds = 0.0
        self._taken = 0.0

    @contextmanager
    def running(self) -> Iterator[None]:
        """Whatever happens within counts."""
        before = moment()
        try:
            yield
        finally:
            after = moment()
            everybody, ours = after.everybody - before.everybody, after.ours - before.ours
            self._seconds += after.clock - before.clock
            self._taken += max(0.0, everybody - ours)  # the system counts in steps

    def found(self) -> Others | Skipped:
        """On average."""
        if self._seconds <= 0:
            return NOT_TAKEN
        cpus, cores = cpus_and_cores()
        spare = max(0.0, cores - self._threads)
        return Others(min(cpus, self._taken / self._seconds), cpus, spare)


def now(threads: int) -> Others | Skipped:
    """Before anything of ours runs."""
    meter = Meter(threads)
    with meter.running():
        sleep(SECONDS)
    return meter.found()


def warn(threads: int) -> None:
    """Say on standard error that others are at work, before anything is measured."""
    others = crowd([now(threads)])
    if others is not None:
        typer.echo(
            f"warning: this machine is busy: {others}; times and ratios cannot be trusted", err=True
        )


def moment() -> Moment:
    """The counters now; where the system tells nothing, nobody took anything."""
    import psutil

    try:
        used = psutil.cpu_times(percpu=True)
    except OSError:
        return Moment(perf_counter(), 0.0, 0.0)
    allowed = _allowed(len(used))
    everybody = sum(getattr(used[cpu], name, 0.0) for cpu in allowed for name in AT_WORK)
    return Moment(perf_counter(), everybody, _ours())


def cpus_and_cores() -> tuple[int, int]:
    """CPUs that this process may run on, and how many physical cores that is; no quota counts."""
    import psutil

    logical = psutil.cpu_count() or 1
    physical = psutil.cpu_count(logical=False) or logical
    allowed = _allowed(logical)
    return len(allowed), cores_of(allowed, logical, physical)


def _allowed(count: int) -> list[int]:
    """Numbers of CPUs, of so many."""
    every = list(range(count))
    allowed = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else every
    return allowed if set(allowed) <= set(every) else every


def _ours() -> float:
    """A process that has ended is in its parent's sum."""
    import psutil

    me = psutil.Process()
    total = 0.0
    for process in (me, *me.children(recursive=True)):
        try:
            total += sum(process.cpu_times()[:4])  # its own and those of children that ended
        except psutil.Error:
            continue
    return total
