"""A process of its own for every cell: crashes, hangs and kills are answers, not accidents."""

import os
import signal
import sys
import time
from dataclasses import replace
from pathlib import Path
from textwrap import dedent

import numpy as np
import pytest

from bench import pool
from bench.cell import wire
from bench.cell.job import Command, Failed, Finished, Job, Prepared, Sampled, WarmedUp
from bench.cell.lane import Apart, Lane
from bench.judge import reference
from bench.records import Workload
from bench.stopping import Limits
from export.cache import cached_export
from export.precision.plan import PrecisionPlan
from export.request import ExportRequest
from fakes import Here
from hifigan_ref import audio
from hifigan_ref.trained import Trained
from hifigan_ref.variant import Variant

REQUEST = ExportRequest(Variant("mpd", "11"))
LOAD = Workload(
    "mpd-11",
    precision="fp32",
    source="clip",
    weights="seed 0",
    threads=1,
    sizes={"batch": 1, "samples": 1024},
    views=(),
)
LIMITS = Limits(0.05, 0.05, 0.05)


@pytest.fixture(scope="module")
def job(mpd_11: Trained, tmp_path_factory: pytest.TempPathFactory) -> Job:
    folder = tmp_path_factory.mktemp("pool")
    inputs = pool.draw(audio.clip(), REQUEST.signature, LOAD.sizes)
    pool.save(folder, inputs, reference(mpd_11, REQUEST, inputs[0]))
    path = cached_export(REQUEST, "seed 0", lambda _: mpd_11).path
    return Job("ort-cpu", LOAD, REQUEST, path, folder, None, 0, 1, (), LIMITS)


def never() -> Trained:
    raise AssertionError


def all_the_way(lane: Lane) -> None:
    try:
        prepared = lane.ask(Command("prepare"))
        assert isinstance(prepared, Prepared), prepared
        assert prepared.parity.passed and all(claim.holds for claim in prepared.proof)
        assert min(prepared.cold_start.prepared, prepared.cold_start.first_call) > 0
        assert isinstance(lane.ask(Command("warm_up")), WarmedUp)
        sampled = lane.ask(Command("sample", 0.05))
        assert isinstance(sampled, Sampled) and len(sampled.seconds) >= 3
        finished = lane.ask(Command("finish"))
        assert isinstance(finished, Finished), finished
        assert finished.checked == 2 and finished.parity.passed
        assert isinstance(finished.peak_memory_bytes, int)
        assert finished.peak_memory_bytes > 10**7
        assert finished.device == () and finished.throughput == ()
    finally:
        lane.close()


@pytest.mark.parametrize("kind", [Here, Apart])
def test_a_cell_runs_in_either(job: Job, kind: type[Here] | type[Apart]) -> None:
    all_the_way(kind(job, never, 60.0))


def test_a_process_draws_the_weights_itself(job: Job) -> None:
    from dataclasses import replace

    lane = Apart(replace(job, backend="torch"), never, 60.0)
    try:
        assert isinstance(lane.ask(Command("prepare")), Prepared)
    finally:
        lane.close()


def test_what_a_backend_says_is_the_answer(job: Job) -> None:
    from dataclasses import replace

    for kind in (Here, Apart):
        lane = kind(replace(job, backend="nope"), never, 60.0)
        try:
            answer = lane.ask(Command("prepare"))
            assert isinstance(answer, Failed)
            assert answer.reason.startswith("no backend 'nope': choose from torch")
        finally:
            lane.close()


def script(folder: Path, body: str) -> tuple[str, ...]:
    """A process that reads the job and the first command, then does something else."""
    path = folder / "worker.py"
    path.write_text("import os, signal, sys, time\nsys.stdin.readline()\nsys.stdin.readline()\n")
    with path.open("a") as file:
        file.write(dedent(body))
    return (sys.executable, str(path))


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ("sys.exit(3)", "its process ended with exit code 3 in prepare: it said nothing"),
        ("print('no memory left', file=sys.stderr); sys.exit(1)", "in prepare: no memory left"),
        ("os.kill(os.getpid(), signal.SIGKILL)", "ended by SIGKILL (out of memory?) in prepare"),
        ("os.kill(os.getpid(), signal.SIGSEGV)", "ended by SIGSEGV in prepare: it said nothing"),
        ("raise ValueError('a bug')", "exit code 1 in prepare: ValueError: a bug"),
    ],
    ids=["exit", "last words", "killed", "crash", "exception"],
)
def test_an_end_is_an_answer(job: Job, tmp_path: Path, body: str, told: str) -> None:
    lane = Apart(job, never, 60.0, script(tmp_path, body))
    try:
        answer = lane.ask(Command("prepare"))
        assert isinstance(answer, Failed)
        assert told in answer.reason
        assert "\n" not in answer.reason
    finally:
        lane.close()


def test_a_hang_is_ended(job: Job, tmp_path: Path) -> None:
    body = "print('searching kernels', file=sys.stderr, flush=True); time.sleep(60)"
    lane = Apart(job, never, 1.0, script(tmp_path, body))
    started = time.monotonic()
    answer = lane.ask(Command("prepare"))
    lane.close()
    assert isinstance(answer, Failed)
    assert answer.reason == "timed out after 1 s in prepare: searching kernels"
    assert time.monotonic() - started < 10


def test_what_libraries_print_is_no_answer(job: Job) -> None:
    """onnxruntime, OpenVINO and drivers write on standard output as they like."""
    code = (
        "import os, sys; os.write(1, b'')\n"
        "from bench.cell import worker, runner\n"
        "prepare = runner.Runner.prepare\n"
        "def noisy(self):\n"
        "    print('hello'); os.write(1, b'from C\\n'); return prepare(self)\n"
        "runner.Runner.prepare = noisy\n"
        "worker.main()"
    )
    lane = Apart(job, never, 60.0, (sys.executable, "-c", code))
    try:
        assert isinstance(lane.ask(Command("prepare")), Prepared)
    finally:
        lane.close()


def test_ctrl_c_is_the_parents_to_hear(job: Job, tmp_path: Path) -> None:
    """A terminal sends it to the whole group of processes: a cell is in one of its own."""
    lane = Apart(job, never, 60.0, script(tmp_path, "time.sleep(60)"))
    try:
        assert os.getpgid(lane._process.pid) != os.getpgid(0)
    finally:
        lane._process.send_signal(signal.SIGKILL)
        lane.close()


def test_closing_ends_a_process_that_waits(job: Job) -> None:
    lane = Apart(job, never, 60.0)
    lane.ask(Command("prepare"))
    process = lane._process
    lane.close()
    assert process.poll() is not None


def test_a_job_travels_with_its_precisions(job: Job) -> None:
    assert wire.read_job(wire.write(job)) == job
    plan = PrecisionPlan("bf16", {"mpd_11.convs.1": "int8"}, "by hand", activations="uint8")
    request = replace(job.request, opset=22, precision=plan, min_snr_db=30.0)
    mixed = replace(job, request=request, asked=plan, runtime="bf16", budget_db=30.0)
    assert wire.read_job(wire.write(mixed)) == mixed


def test_inputs_and_references_travel_unchanged(mpd_11: Trained, tmp_path: Path) -> None:
    pair = ExportRequest(REQUEST.variant, views=("pair",))
    inputs = pool.draw(audio.clip(), pair.signature, {"batch": 2, "samples": 500})
    assert len(inputs) == pool.SIZE
    expected = reference(mpd_11, pair, inputs[0])
    pool.save(tmp_path, inputs, expected)
    again = pool.load_inputs(tmp_path)
    for one, other in zip(inputs, again, strict=True):
        assert {name: array.tobytes() for name, array in one.items()} == {
            name: array.tobytes() for name, array in other.items()
        }
    pool.save(tmp_path, inputs, expected, {"bf16": {"score": expected.torch["score_real"][:1]}})
    assert list(pool.load_reference(tmp_path, "bf16").torch) == ["score"]
    found = pool.load_reference(tmp_path)
    for name, array in expected.exact.items():
        assert found.exact[name].dtype == np.float64
        np.testing.assert_array_equal(found.exact[name], array)
    waves = np.concatenate([array for named in inputs for array in named.values()])
    assert len({wave.tobytes() for wave in waves}) == len(waves), "no two inputs are the same"
