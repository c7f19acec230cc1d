"""When a cell asks for the GPU's state: at the end of every clock's samples, with work enqueued."""

from collections.abc import Callable
from itertools import repeat
from pathlib import Path

import numpy as np
import pytest

from bench import pool
from bench.backend import Session
from bench.cell import runner
from bench.cell.job import Command, Failed, Finished, Job
from bench.cell.runner import Runner
from bench.cell.worker import obey
from bench.judge import Reference
from bench.records import GpuMoment, Skipped
from bench.stopping import Limits
from export.request import ExportRequest
from fakes import WORKLOAD, FakeBackend, FakeSession
from hifigan_ref.variant import Variant

OUTPUTS = {"score": np.ones((1, 4), np.float32)}
MOMENT = GpuMoment(1980, 2619, (), 650.0, 61, 0)
PASS = 1 / 64  # seconds; BLOCK_SECONDS holds four


class Events:
    def __init__(self, stream: int) -> None:
        del stream

    def __call__(self, session: Session) -> float:
        session.run()
        session.wait()
        return PASS


@pytest.fixture
def session() -> FakeSession:
    return FakeSession(OUTPUTS, lengths=repeat(PASS))


@pytest.fixture
def prepared(
    session: FakeSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[[], Runner]:
    """A runner of the session after its first pass; the log tells when the GPU is asked."""

    def told(start: Callable[[], None]) -> GpuMoment:
        session.log.append("ask")
        start()
        session.log.append("told")
        return MOMENT

    monkeypatch.setattr(runner, "gpu_at_work", told)
    monkeypatch.setattr(runner, "_load_artifact", lambda path: path)
    monkeypatch.setattr(runner, "find", lambda _: (FakeBackend("x", lambda _: session), {}))
    monkeypatch.setattr(runner, "joules_per_item", lambda *_: Skipped("no counter"))
    monkeypatch.setattr("bench.timing.measure.DeviceClock", Events)
    inputs = [{"y": np.ones((1, 1, 4), np.float32)}] * pool.SIZE
    pool.save(tmp_path, inputs, Reference(OUTPUTS, OUTPUTS))
    request = ExportRequest(Variant("mpd", "11"))
    limits = Limits(0.25, 0.75, 0.25)
    job = Job("x", WORKLOAD, request, tmp_path, tmp_path, None, 0, 1, (), limits)

    def prepare() -> Runner:
        found = Runner(job, lambda: pytest.fail("not drawn"), session.clock)
        found.prepare()
        return found

    return prepare


def test_a_failure_tells_its_cause_and_not_where_in_the_sources_it_was_thrown(
    prepared: Callable[[], Runner], monkeypatch: pytest.MonkeyPatch
) -> None:
    text = "Exception from core.cpp:117:\nException from plugin.cpp:54:\nno bf16 here\n\n"
    found = prepared()

    def fail() -> None:
        raise RuntimeError(text)

    monkeypatch.setattr(found, "warm_up", fail)
    assert obey(found, Command("warm_up")) == Failed("failed: RuntimeError: no bf16 here")


def test_a_round_ends_with_the_gpu_at_work(
    session: FakeSession, prepared: Callable[[], Runner]
) -> None:
    session.stream = 7
    sampled = prepared().sample(PASS)
    assert sampled.gpu == MOMENT
    asked, told = session.log.index("ask"), session.log.index("told")
    passes = session.log[asked:told].count("run")
    assert passes == 1 + 4, "one to know how long it takes, then 50 ms of them"
    assert session.log[asked:told][-4:] == ["run"] * 4, "enqueued, not waited for"
    assert session.log[told:] == ["told", "wait"]
    assert len(sampled.seconds) == session.log[:asked].count("run") - 1, "asked after the samples"


def test_every_other_clock_ends_so_too(
    session: FakeSession, prepared: Callable[[], Runner]
) -> None:
    session.stream = 7
    finished = prepared().finish()
    assert finished.gpu == {"end-to-end": MOMENT, "device": MOMENT, "throughput": MOMENT}
    assert session.log.count("ask") == 3


def test_on_the_host_no_gpu_is_asked(session: FakeSession, prepared: Callable[[], Runner]) -> None:
    found = prepared()
    hole = Skipped("runs on the host")
    assert found.sample(PASS).gpu == hole
    finished: Finished = found.finish()
    assert dict(finished.gpu) == {"end-to-end": hole}
    assert "ask" not in session.log


def test_energy_is_counted_no_longer_than_a_row_is_sampled(
    session: FakeSession, prepared: Callable[[], Runner], monkeypatch: pytest.MonkeyPatch
) -> None:
    session.stream = 7
    asked: list[float] = []

    def count(_call: object, _items: int, seconds: float) -> Skipped:
        asked.append(seconds)
        return Skipped("no counter")

    found = prepared()
    monkeypatch.setattr(runner, "joules_per_item", count)
    found.finish()
    assert asked == [0.25]
