"""Help for tests: a clock that is told the time, fake runtimes, a small report, command lines."""

import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass, field
from io import StringIO
from itertools import repeat
from unittest import mock

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from bench.backend import Case, Option, Session
from bench.cell.job import Command, Job, Reply
from bench.cell.runner import Runner
from bench.cell.worker import obey
from bench.records import (
    SCHEMA,
    Ceiling,
    Claim,
    Machine,
    Measurement,
    OutputParity,
    Parity,
    Report,
    Result,
    Skipped,
    Workload,
)
from bench.tuning_record import LayerTrials, Step, Trial, Tuning
from hifigan_ref.trained import Trained


class TickingClock:
    """Seconds that pass only when somebody says so."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        """Seconds since it was made."""
        return self.now

    def tick(self, seconds: float) -> None:
        """Let time pass."""
        self.now += seconds


@dataclass
class FakeSession:
    """A session whose passes last as long as it is told.

    Attributes:
        found: what ``outputs`` returns.
        clock: a quarter of each pass goes by on it in ``run``, the rest in ``wait``.
        lengths: seconds of each pass; a session that has used them up raises ``StopIteration``.
        fails_in: method that raises ``RuntimeError`` instead.
        claims: what ``proof`` returns.
        log: every method that was called, in order.
    """

    found: Mapping[str, NDArray[np.floating]] = field(default_factory=dict)
    clock: TickingClock = field(default_factory=TickingClock)
    lengths: Iterable[float] = field(default_factory=lambda: repeat(0.0))
    fails_in: str = ""
    claims: tuple[Claim, ...] = ()
    log: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.stream: int | None = None
        self._lengths: Iterator[float] = iter(self.lengths)
        self._rest = 0.0

    def load(self, inputs: Mapping[str, NDArray[np.float32]]) -> None:
        """Takes no time."""
        del inputs
        self._enter("load")

    def poison(self) -> None:
        """Only remembered."""
        self._enter("poison")

    def run(self) -> None:
        """A quarter of the next pass."""
        self._enter("run")
        length = next(self._lengths)
        self.clock.tick(length / 4)
        self._rest = length - length / 4

    def wait(self) -> None:
        """The rest of the pass."""
        self._enter("wait")
        self.clock.tick(self._rest)
        self._rest = 0.0

    def outputs(self) -> dict[str, NDArray[np.floating]]:
        """What it was given."""
        self._enter("outputs")
        return dict(self.found)

    def settings(self) -> dict[str, str]:
        """One setting."""
        self._enter("settings")
        return {"threads": "1"}

    def proof(self) -> tuple[Claim, ...]:
        """The claims it was given."""
        self._enter("proof")
        return self.claims

    def close(self) -> None:
        """Only remembered."""
        self._enter("close")

    def _enter(self, name: str) -> None:
        self.log.append(name)
        if name == self.fails_in:
            raise RuntimeError(f"{name} fails\nas it was told")


@dataclass(frozen=True)
class FakeBackend:
    """A backend that is what it is told to be.

    Attributes:
        name: as in ``--backend``.
        session: makes what ``prepare`` returns, or raises.
        reason: what ``missing`` returns.
        purpose: one line.
        options: what may be set.
    """

    name: str
    session: Callable[[Case], Session] = lambda case: FakeSession()  # noqa: ARG005
    reason: str | None = None
    purpose: str = "computes nothing"
    options: tuple[Option, ...] = ()

    def missing(self) -> str | None:
        """The reason it was given."""
        return self.reason

    def prepare(self, case: Case) -> Session:
        """A new session."""
        return self.session(case)


WORKLOAD = Workload("mpd-11", {"batch": 2, "samples": 11025}, (), "fp32", "clip", "seed 0", 1, 1.0)
PARITY = Parity(
    100.0,
    (
        OutputParity("score", 120.0, 1e-6, 2e-6, 1.0, 124.0, (2, 110)),
        OutputParity("fmap_0", np.inf, 0.0, 0.0, 1.0, np.inf, (2, 32, 3, 11)),
    ),
)


def fake_result(
    backend: str = "fake",
    seconds: tuple[float, ...] | Skipped = (0.5, 0.5, 0.5, 0.5),
    parity: Parity | Skipped = PARITY,
    workload: Workload = WORKLOAD,
) -> Result:
    """A row: 4 GFLOP a call."""
    flops = 4 * 10**9
    if isinstance(seconds, Skipped):
        return Result(backend, workload, seconds, parity, seconds, {}, flops)
    measurement = Measurement(seconds, 1.0, 10, warm=True, converged=True)
    return Result(backend, workload, 1.25, parity, measurement, {"threads": "1"}, flops)


def fake_report(*results: Result, notes: tuple[str, ...] = ()) -> Report:
    """A report of a machine whose ceiling is 100 GFLOP/s, waveforms at 22,050 Hz."""
    return Report(
        schema=SCHEMA,
        created="2026-01-02T03:04:05+00:00",
        tool="hifi-export 0",
        machine=Machine("A CPU", 2, 8 * 2**30, 0.5, "Linux 6 x86_64", {"python": "3.11"}),
        ceiling=Ceiling(100.0, 2048, 1),
        sample_rate=22050,
        notes=notes,
        results=results,
    )


def fake_trials(
    *names: str, problem: str = "8 -> 8, 5 taps on 2 x 8 x 32 x 11", **seconds: float | str
) -> LayerTrials:
    """A layer whose forms took so long, or why they did not run; ``_`` in a form is ``-``."""
    trials = []
    for form, found in seconds.items():
        name = form.replace("_", "-")
        if isinstance(found, str):
            trials.append(Trial(name, 10**9, 10**6, (), Skipped(found)))
        else:
            trials.append(Trial(name, 10**9, 10**6, (found,) * 3, 120.0))
    return LayerTrials(names, problem, tuple(trials))


def fake_tuning(results: tuple[Result, ...] | None = None) -> Tuning:
    """Of one period on ort-cpu: a layer in columns, one that stays plain."""
    path = "ort-cpu:lowering=out/plan.json"
    speeds = {"torch": 0.4, "ort-cpu": 0.2, path: 0.1}
    if results is None:
        results = tuple(fake_result(name, (each,) * 4) for name, each in speeds.items())
    return Tuning(
        schema=2,
        created="2026-01-02T03:04:05+00:00",
        tool="hifi-export 0",
        machine=fake_report().machine,
        backend="ort-cpu",
        precision="fp32",
        variants=("mpd-11",),
        sizes={"batch": 2, "samples": 11025},
        views=(),
        threads=1,
        floor_db=108.0,
        layers=(
            fake_trials("mpd_11.convs.4", plain=0.04, columns=0.01, rows="it failed | in words"),
            fake_trials("mpd_11.conv_post", plain=0.002, columns=0.001),
        ),
        steps=(
            Step("mpd-11", "", "winners", 0.8, kept=True),
            Step("mpd-11", "mpd_11.conv_post", "plain", 0.9, kept=True),
        ),
        plan={"mpd_11.convs.4": "columns"},
        results=results,
    )


@dataclass(frozen=True)
class Ran:
    """What a command line came to: exit code and what it printed."""

    code: int
    out: str
    err: str


def run_main(main: Callable[[], None], *arguments: object) -> Ran:
    """Call a console script's function in this process; only ``SystemExit`` is caught."""
    out, err = StringIO(), StringIO()
    code: object = 0
    with (
        mock.patch.object(sys, "argv", ["program", *map(str, arguments)]),
        mock.patch.object(sys, "excepthook", sys.excepthook),  # Typer puts its own there
        redirect_stdout(out),
        redirect_stderr(err),
    ):
        try:
            main()
        except SystemExit as end:
            code = end.code or 0
    assert isinstance(code, int), code
    return Ran(code, out.getvalue(), err.getvalue())


def old_names(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Weights under the names of PyTorch's older weight norm, as training codes write them."""
    names = {"original0": "weight_g", "original1": "weight_v"}
    head = "parametrizations.weight."
    return {
        re.sub(f"{head}(original[01])", lambda m: names[m[1]], key): tensor
        for key, tensor in state.items()
    }


class Here:
    """A lane in this process."""

    def __init__(self, job: Job, build: Callable[[], Trained], timeout: float) -> None:
        del timeout
        self._runner = Runner(job, build)

    def ask(self, command: Command) -> Reply:
        """The answer; an interruption goes on."""
        return obey(self._runner, command)

    def close(self) -> None:
        """Give the session back."""
        self._runner.close()
