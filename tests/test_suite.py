"""The loop, with runtimes that do as they are told."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

import numpy as np
import pytest
from numpy.typing import NDArray

from bench import backend, suite
from bench.backend import Backend, Case, Option, Session
from bench.measure import Clocks
from bench.parity import reference
from bench.proof import NotAsAskedError
from bench.records import (
    NOT_TAKEN,
    SCHEMA,
    Ceiling,
    Claim,
    Layer,
    Machine,
    Measurement,
    Parity,
    Result,
    Skipped,
)
from bench.stopping import Limits
from bench.suite import Phase, Plan, report_of, sweep
from bench.testing import FakeBackend, FakeSession
from export.artifact import Artifact
from export.cache import cached_export
from export.request import ExportRequest
from hifigan_ref import audio
from hifigan_ref.errors import HifiError
from hifigan_ref.trained import Trained
from hifigan_ref.variant import Variant
from hifigan_ref.version import VERSION

MPD_11 = Variant("mpd", "11")
LIMITS = Limits(1.0, 2.0, 3.0)
PLAN = Plan(
    backends=("right",),
    variants=(MPD_11,),
    batches=(1,),
    samples=1024,
    outputs="all",
    pair=False,
    threads=1,
    recording=audio.clip(),
    limits=LIMITS,
)
MEASURED = Measurement((0.5,) * 4, 1.0, 10, warm=True, converged=True)
BY_DEVICE = replace(MEASURED, clock="device")
END_TO_END = replace(MEASURED, clock="end-to-end")
CLOCKS = Clocks(MEASURED, BY_DEVICE, END_TO_END)
GPU = Claim("provider", "a GPU", "a GPU", holds=True)
FALLEN_BACK = Claim("provider", "a GPU", "the CPU", holds=False)

Inputs = Mapping[str, NDArray[np.float32]]


@dataclass
class Bench:
    """What a test lets run, and what was seen.

    Attributes:
        trained: the only network.
        built: variants that were asked for.
        sessions: every session of a fake runtime, in order.
        cases: what they were prepared for.
        limits: of every measurement.
        exported: requests for a file.
    """

    trained: Trained
    identity: str = "seed 0"
    built: list[Variant] = field(default_factory=list)
    sessions: list[FakeSession] = field(default_factory=list)
    cases: list[Case] = field(default_factory=list)
    limits: list[Limits] = field(default_factory=list)
    exported: list[ExportRequest] = field(default_factory=list)

    def build(self, variant: Variant) -> Trained:
        self.built.append(variant)
        return self.trained

    def measure(self, session: Session, inputs: Inputs, limits: Limits) -> Clocks:
        assert isinstance(session, FakeSession)
        assert inputs == self.cases[-1].inputs
        session.log.append("measure")
        self.limits.append(limits)
        return CLOCKS

    def export(
        self, request: ExportRequest, identity: str, build: Callable[[Variant], Trained]
    ) -> Artifact:
        self.exported.append(request)
        assert build(request.variant) is self.trained, "built once for both"
        return cached_export(request, identity, build)

    def runtime(
        self, error: float = 0.0, fails_in: str = "", claims: tuple[Claim, ...] = ()
    ) -> Callable[[Case], Session]:
        """Makes sessions with PyTorch's outputs, off by a relative error."""

        def make(case: Case) -> Session:
            outputs = reference(case.trained, case.request, case.inputs).torch
            found = {name: array * np.float32(1 + error) for name, array in outputs.items()}
            session = FakeSession(found=found, fails_in=fails_in, claims=claims)
            self.cases.append(case)
            self.sessions.append(session)
            return session

        return make

    def results(self, *names: str) -> list[Result]:
        steps = sweep(replace(PLAN, backends=names), self)
        return [step for step in steps if isinstance(step, Result)]


def refuse(case: Case) -> Session:
    raise ValueError(f"\n  no kernel for {case.workload.variant}\n    at line 1\n")


def not_as_asked(case: Case) -> Session:
    del case
    raise NotAsAskedError((GPU, FALLEN_BACK))


def explain(case: Case) -> Session:
    raise HifiError(f"batch {case.workload.batch} is outside of 2 to 4: choose one inside")


@pytest.fixture
def bench(mpd_11: Trained, monkeypatch: pytest.MonkeyPatch) -> Bench:
    made = Bench(mpd_11)
    fakes: list[Backend] = [
        FakeBackend("right", made.runtime()),
        FakeBackend("wrong", made.runtime(error=1e-3)),
        FakeBackend("absent", refuse, reason="pip install absent[gpu]"),
        FakeBackend("refusing", refuse),
        FakeBackend("proved", made.runtime(claims=(GPU,))),
        FakeBackend("fallen-back", made.runtime(claims=(GPU, FALLEN_BACK))),
        FakeBackend("refused-early", not_as_asked),
        FakeBackend("explains", explain),
        FakeBackend("chosen", made.runtime(), options=(Option("tf32", ("off", "on"), "fast"),)),
        *(FakeBackend(f"no-{m}", made.runtime(fails_in=m)) for m in FAILING),
    ]
    monkeypatch.setattr(backend, "backends", lambda: {fake.name: fake for fake in fakes})
    monkeypatch.setattr(suite, "measure", made.measure)
    monkeypatch.setattr(suite, "cached_export", made.export)
    return made


FAILING = ("run", "wait", "outputs", "settings", "proof")


def test_a_right_backend_has_a_measurement(bench: Bench) -> None:
    (result,) = bench.results("right")
    assert result.backend == "right"
    assert isinstance(result.parity, Parity) and result.parity.passed
    assert result.measurement == MEASURED
    assert result.settings == {"threads": "1"}
    assert isinstance(result.prepare_seconds, float) and result.prepare_seconds > 0
    assert bench.limits == [LIMITS]


def test_outputs_are_compared_before_anything_is_timed(bench: Bench) -> None:
    bench.results("right")
    (session,) = bench.sessions
    assert session.log == ["run", "wait", "proof", "outputs", "settings", "measure", "close"]


def test_the_row_says_what_was_run(bench: Bench) -> None:
    (result,) = bench.results("right")
    load = result.workload
    assert (load.variant, load.batch, load.samples) == ("mpd-11", 1, 1024)
    assert (load.outputs, load.pair, load.precision, load.threads) == ("all", False, "fp32", 1)
    assert (load.source, load.weights) == ("clip", "seed 0")
    assert 3e8 < result.flops < 4e8
    assert result.flops == sum(layer.flops for layer in result.layers)
    assert result.bytes_moved == sum(layer.bytes for layer in result.layers) > 33e6
    assert {layer.seconds for layer in result.layers} == {NOT_TAKEN}


def test_a_row_without_a_time_has_its_layers_too(bench: Bench) -> None:
    (right, absent) = bench.results("right", "absent")
    assert absent.layers == right.layers and absent.bytes_moved == right.bytes_moved


def test_layers_are_timed_after_the_session_is_closed_and_only_of_what_has_a_speed(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    profiled: list[str] = []

    def profile(found: Backend, case: Case) -> tuple[Layer, ...]:
        profiled.append(found.name)
        assert all(session.log[-1] == "close" for session in bench.sessions)
        assert case.options == ({"tf32": "on"} if found.name == "chosen" else {})
        return tuple(replace(layer, seconds=0.5) for layer in case.layers)

    monkeypatch.setattr(suite, "profile", profile)
    names = ("right", "wrong", "fallen-back", "absent", "chosen:tf32=on")
    plan = replace(PLAN, backends=names, layers=True)
    rows = [step for step in sweep(plan, bench) if isinstance(step, Result)]
    assert profiled == ["right", "chosen"]
    assert {layer.seconds for layer in rows[0].layers} == {0.5}
    assert {layer.seconds for layer in rows[1].layers} == {NOT_TAKEN}


def test_a_runtime_that_cannot_time_layers_keeps_its_row_and_says_why(bench: Bench) -> None:
    plan = replace(PLAN, layers=True)
    (row,) = [step for step in sweep(plan, bench) if isinstance(step, Result)]
    assert row.measurement == MEASURED
    assert {layer.seconds for layer in row.layers} == {
        Skipped("right has no profiler of its layers here")
    }


def test_the_backend_gets_what_the_row_says(bench: Bench) -> None:
    (result,) = bench.results("right")
    (case,) = bench.cases
    assert case.workload == result.workload
    assert case.trained is bench.trained
    assert {name: wave.shape for name, wave in case.inputs.items()} == {"y": (1, 1, 1024)}
    assert case.inputs["y"].dtype == np.float32
    assert case.artifact.manifest.variant == "mpd-11"
    assert case.artifact.path.is_file()


def test_the_waveforms_of_a_pair_differ(bench: Bench) -> None:
    plan = replace(PLAN, pair=True, batches=(2,), outputs="scores")
    list(sweep(plan, bench))
    (case,) = bench.cases
    waves = np.concatenate([case.inputs["y"], case.inputs["y_hat"]])
    assert waves.shape == (4, 1, 1024)
    assert len({wave.tobytes() for wave in waves}) == 4


def test_an_unknown_backend_is_a_row_with_the_known_ones(bench: Bench) -> None:
    (result,) = bench.results("nope")
    assert result.backend == "nope"
    for hole in (result.parity, result.measurement, result.prepare_seconds):
        assert isinstance(hole, Skipped)
        assert "nope" in hole.reason and "right, wrong, absent" in hole.reason
    assert result.settings == {}


def test_a_backend_that_cannot_run_here_is_a_row_with_the_reason(bench: Bench) -> None:
    (result,) = bench.results("absent")
    hole = Skipped("pip install absent[gpu]")
    assert (result.parity, result.measurement, result.prepare_seconds) == (hole, hole, hole)


def test_a_backend_that_refuses_is_a_row_and_the_sweep_goes_on(bench: Bench) -> None:
    refused, after = bench.results("refusing", "right")
    assert refused.measurement == Skipped("failed: ValueError: no kernel for mpd-11")
    assert refused.parity == refused.prepare_seconds == refused.measurement
    assert after.measurement == MEASURED


@pytest.mark.parametrize("method", FAILING)
def test_a_session_that_fails_is_closed_and_the_sweep_goes_on(bench: Bench, method: str) -> None:
    failed, after = bench.results(f"no-{method}", "right")
    assert failed.measurement == Skipped(f"failed: RuntimeError: {method} fails")
    assert after.measurement == MEASURED
    assert bench.sessions[0].log[-1] == "close"
    assert bench.sessions[0].log.count("close") == 1


def test_a_measurement_that_fails_closes_the_session(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(session: Session, inputs: Inputs, limits: Limits) -> Clocks:
        raise MemoryError(f"out of memory after {limits.least} s of {session} {inputs}")

    monkeypatch.setattr(suite, "measure", fail)
    (result,) = bench.results("right")
    assert isinstance(result.measurement, Skipped)
    assert result.measurement.reason.startswith("failed: MemoryError: out of memory")
    assert bench.sessions[0].log[-1] == "close"


def test_an_error_without_words_is_a_row_too(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(case: Case) -> Session:
        del case
        raise AssertionError

    monkeypatch.setattr(backend, "backends", lambda: {"mute": FakeBackend("mute", fail)})
    (result,) = bench.results("mute")
    assert isinstance(result.measurement, Skipped)
    assert "AssertionError" in result.measurement.reason


def test_an_interruption_ends_the_sweep(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(session: Session, inputs: Inputs, limits: Limits) -> Clocks:
        raise KeyboardInterrupt(session, inputs, limits)

    monkeypatch.setattr(suite, "measure", interrupt)
    with pytest.raises(KeyboardInterrupt):
        bench.results("right", "right")
    assert [session.log[-1] for session in bench.sessions] == ["close"]


def test_a_wrong_backend_has_no_speed(bench: Bench) -> None:
    wrong, right = bench.results("wrong", "right")
    assert isinstance(wrong.parity, Parity) and not wrong.parity.passed
    assert isinstance(wrong.measurement, Skipped)
    assert wrong.measurement.reason.startswith("parity failed: ")
    assert wrong.parity.worst.name in wrong.measurement.reason
    assert "60.0 dB" in wrong.measurement.reason and "100 dB" in wrong.measurement.reason
    assert isinstance(wrong.gflop_per_second, Skipped)
    assert "measure" not in bench.sessions[0].log
    assert bench.sessions[0].log[-1] == "close"
    assert right.measurement == MEASURED


def test_every_clock_and_the_proof_are_in_the_row(bench: Bench) -> None:
    (result,) = bench.results("proved")
    assert (result.measurement, result.device, result.end_to_end) == (
        MEASURED,
        BY_DEVICE,
        END_TO_END,
    )
    assert result.proof == (GPU,)
    assert result.broken == ()


@pytest.mark.parametrize("name", ["fallen-back", "refused-early"])
def test_what_ran_elsewhere_is_invalid_and_has_no_speed(bench: Bench, name: str) -> None:
    fallen, after = bench.results(name, "right")
    reason = "INVALID: provider: asked for a GPU, found the CPU"
    assert fallen.measurement == Skipped(reason)
    assert fallen.proof == (GPU, FALLEN_BACK)
    assert fallen.broken == (FALLEN_BACK,)
    for session in bench.sessions[:-1]:
        assert "measure" not in session.log and session.log[-1] == "close"
    assert after.measurement == MEASURED


def test_an_explained_refusal_is_told_as_it_is(bench: Bench) -> None:
    (result,) = bench.results("explains")
    assert result.measurement == Skipped("batch 1 is outside of 2 to 4: choose one inside")


def test_options_reach_the_backend_and_its_row_has_them_in_its_name(bench: Bench) -> None:
    plain, chosen = bench.results("chosen", "chosen:tf32=on")
    assert (plain.backend, chosen.backend) == ("chosen", "chosen:tf32=on")
    assert [case.options for case in bench.cases] == [{"tf32": "off"}, {"tf32": "on"}]


def test_a_precision_that_was_asked_for_has_its_own_budget(bench: Bench) -> None:
    exact, rounded = bench.results("chosen", "chosen:tf32=on")
    assert (exact.workload.precision, rounded.workload.precision) == ("fp32", "tf32")
    assert isinstance(exact.parity, Parity) and isinstance(rounded.parity, Parity)
    assert (exact.parity.budget_db, rounded.parity.budget_db) == (100.0, 55.0)


@pytest.mark.parametrize(
    ("spec", "told"),
    [
        ("chosen:tf33=on", "chosen has no option 'tf33': it has tf32"),
        ("chosen:tf32", "'' is no value of chosen's tf32: choose from off, on"),
        ("chosen:tf32=maybe", "'maybe' is no value of chosen's tf32: choose from off, on"),
        ("right:tf32=on", "right has no option 'tf32': it has none"),
    ],
)
def test_an_option_that_is_unknown_is_a_row_with_the_known_ones(
    bench: Bench, spec: str, told: str
) -> None:
    (result,) = bench.results(spec)
    assert (result.backend, result.measurement) == (spec, Skipped(told))


def test_each_phase_is_told_before_it_begins(bench: Bench) -> None:
    plan = replace(PLAN, backends=("right", "nope"), batches=(1, 2))
    told = []
    for step in sweep(plan, bench):
        if isinstance(step, Phase):
            told.append(step.label)
            if step.label.endswith("weights"):
                assert not bench.built
            if step.label.endswith("export"):
                assert bench.built and not bench.exported
            if "prepare" in step.label:
                assert len(bench.sessions) == sum("prepare" in each for each in told) - 1
        else:
            told.append(f"{step.backend} {step.workload.batch}")
    assert told == [
        "mpd-11: weights",
        "mpd-11: export",
        "mpd-11 x 1: reference in float64",
        "mpd-11 x 1 on right: prepare and measure",
        "right 1",
        "nope 1",
        "mpd-11 x 2: reference in float64",
        "mpd-11 x 2 on right: prepare and measure",
        "right 2",
        "nope 2",
    ]
    assert bench.built == [MPD_11], "a network is built once for all its batches"
    assert len(bench.exported) == 1, "one file with a dynamic batch"


def test_one_session_is_open_at_a_time(bench: Bench) -> None:
    for _ in sweep(replace(PLAN, backends=("right", "wrong", "right")), bench):
        assert all(session.log[-1] == "close" for session in bench.sessions)
    assert len(bench.sessions) == 3


def test_a_plan_counts_its_cells() -> None:
    plan = replace(PLAN, backends=("a", "b", "c"), batches=(1, 2), variants=(MPD_11,) * 4)
    assert plan.cells == 24


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"threads": 0}, "0 threads"),
        ({"threads": 10**6}, "choose 1 to 1024"),
        ({"batches": (2**16,), "samples": 2**28}, "this machine has"),
        ({"samples": 5}, "choose 6 or more"),
        ({"batches": (1, 0)}, "batch 0"),
        ({"batches": (-3,)}, "batch -3"),
        ({"variants": (MPD_11, Variant("mpd", "4"))}, "period 4"),
        ({"outputs": "some"}, "outputs 'some'"),
    ],
)
def test_a_plan_is_checked_at_the_door(change: dict[str, object], told: str) -> None:
    with pytest.raises(HifiError, match=told) as caught:
        replace(PLAN, **change)  # type: ignore[arg-type]
    assert "\n" not in str(caught.value)


def test_the_report_says_where_everything_came_from(bench: Bench) -> None:
    recording = replace(PLAN.recording, rate=16000, note="a note")
    machine = Machine("A CPU", 2, 2**30, 0.0, "Linux", {})
    ceiling = Ceiling(100.0, 2048, 1)
    results = tuple(bench.results("right", "nope"))
    report = report_of(replace(PLAN, recording=recording), machine, ceiling, results)
    assert (report.schema, report.tool) == (SCHEMA, f"hifi-export {VERSION}")
    assert (report.machine, report.ceiling, report.results) == (machine, ceiling, results)
    assert (report.sample_rate, report.notes) == (16000, ("a note",))
    assert report.created.endswith("+00:00")
    assert report_of(PLAN, machine, ceiling, ()).notes == ()
