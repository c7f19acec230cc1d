"""The loop, with runtimes that do as they are told."""

import errno
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from bench import backend, judge, suite
from bench.backend import Backend, Case, Session
from bench.cell import group, rows, runner
from bench.cell.group import Phase, Step
from bench.cell.ledger import Ledger
from bench.judge import Reference, reference
from bench.precisions import precisions
from bench.proof import NotAsAskedError
from bench.records import (
    NOT_TAKEN,
    Claim,
    Layer,
    Measurement,
    Parity,
    Result,
    Skipped,
)
from bench.stopping import Limits
from bench.suite import Plan, in_order, sweep
from export.artifact import Artifact
from export.cache import cached_export
from export.request import ExportRequest
from fakes import FakeBackend, FakeSession, Here
from hifigan_ref import audio
from hifigan_ref.errors import HifiError
from hifigan_ref.trained import Trained
from hifigan_ref.variant import Variant

MPD_11 = Variant("mpd", "11")
LIMITS = Limits(0.01, 0.02, 0.03)
PLAN = Plan(
    backends=("right",),
    variants=(MPD_11,),
    batches=(1,),
    sizes={"samples": 1024},
    views=(),
    threads=1,
    recording=audio.clip(),
    limits=LIMITS,
    rounds=2,
)
TF32 = precisions(("fp32", "tf32"))
IN_FILES = precisions(("fp32",), ("fp16", "bf16"))
GPU = Claim("provider", "a GPU", "a GPU", holds=True)
FALLEN_BACK = Claim("provider", "a GPU", "the CPU", holds=False)


@dataclass
class Bench:
    """What a test lets run, and what was seen.

    Attributes:
        trained: the only network.
        built: variants that were asked for.
        sessions: every session of a fake runtime, in order.
        cases: what they were prepared for.
        ledger: file of finished rows.
        exported: requests for a file.
    """

    trained: Trained
    ledger: Path
    checkpoint: Path | None = None
    seed: int = 0
    origin: str = "seed 0"
    identity: str = "seed 0"
    built: list[Variant] = field(default_factory=list)
    sessions: list[FakeSession] = field(default_factory=list)
    cases: list[Case] = field(default_factory=list)
    exported: list[ExportRequest] = field(default_factory=list)

    def build(self, variant: Variant) -> Trained:
        self.built.append(variant)
        return self.trained

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
            outputs = judge.reference(case.trained, case.request, case.inputs).torch
            found = {name: array * np.float32(1 + error) for name, array in outputs.items()}
            session = FakeSession(found=found, fails_in=fails_in, claims=claims)
            self.cases.append(case)
            self.sessions.append(session)
            return session

        return make

    def results(self, *names: str) -> list[Result]:
        plan = replace(PLAN, backends=names)
        rows = tuple(step for step in self.steps(plan) if isinstance(step, Result))
        return in_order(plan, rows)

    def steps(self, plan: Plan) -> Iterator[Step]:
        return sweep(plan, self, Ledger(self.ledger), Here)


def refuse(case: Case) -> Session:
    raise ValueError(f"\n  no kernel for {case.workload.variant}\n    at line 1\n")


def not_as_asked(case: Case) -> Session:
    del case
    raise NotAsAskedError((GPU, FALLEN_BACK))


def explain(case: Case) -> Session:
    raise HifiError(f"batch {case.workload.batch} is outside of 2 to 4: choose one inside")


@pytest.fixture(scope="module")
def remembered() -> Callable[..., Reference]:
    """The reference, computed once for the same inputs: most tests are not about it."""
    known: dict[tuple[object, ...], Reference] = {}

    def remember(
        trained: Trained, request: ExportRequest, inputs: Mapping[str, NDArray[np.float32]]
    ) -> Reference:
        waves = [(name, wave.shape, wave.tobytes()) for name, wave in inputs.items()]
        key = (trained.digest, repr(request), *waves)
        if key not in known:
            known[key] = reference(trained, request, inputs)
        return known[key]

    return remember


@pytest.fixture
def bench(
    mpd_11: Trained,
    remembered: Callable[..., Reference],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> Bench:
    made = Bench(mpd_11, tmp_path / "ledger.jsonl")
    fakes: list[Backend] = [
        FakeBackend("right", made.runtime()),
        FakeBackend("wrong", made.runtime(error=1e-3)),
        FakeBackend("absent", refuse, reason="pip install absent[gpu]"),
        FakeBackend("refusing", refuse),
        FakeBackend("proved", made.runtime(claims=(GPU,))),
        FakeBackend("fallen-back", made.runtime(claims=(GPU, FALLEN_BACK))),
        FakeBackend("refused-early", not_as_asked),
        FakeBackend("explains", explain),
        FakeBackend("chosen", made.runtime(), options=(TF32,)),
        FakeBackend("files", made.runtime(), options=(IN_FILES,)),
        *(FakeBackend(f"no-{m}", made.runtime(fails_in=m)) for m in FAILING),
    ]
    monkeypatch.setattr(backend, "backends", lambda: {fake.name: fake for fake in fakes})
    for module in (group, rows):  # fakes give thousands of samples, whose interval is nobody's
        monkeypatch.setattr(module, "is_settled", bool)
    monkeypatch.setattr(suite, "cached_export", made.export)
    monkeypatch.setattr(judge, "reference", remembered)
    return made


FAILING = ("run", "wait", "outputs", "settings", "proof")


def test_a_right_backend_has_a_measurement(bench: Bench) -> None:
    (result,) = bench.results("right")
    assert result.backend == "right"
    assert isinstance(result.parity, Parity) and result.parity.passed
    assert isinstance(result.measurement, Measurement)
    assert result.settings == {"threads": "1"}
    assert isinstance(result.prepare_seconds, float) and result.prepare_seconds > 0


def test_outputs_are_compared_before_anything_is_timed(bench: Bench) -> None:
    bench.results("right")
    (session,) = bench.sessions
    assert session.log[:5] == ["run", "wait", "proof", "outputs", "settings"]
    assert session.log[-1] == "close" and session.log.count("close") == 1


def test_timed_passes_are_checked_passes(bench: Bench) -> None:
    """The outputs come from poisoned buffers and from the run that was timed just before."""
    (result,) = bench.results("right")
    log = bench.sessions[0].log
    checks = [i for i, name in enumerate(log) if name == "poison"]
    assert len(checks) == result.checked >= 2 * PLAN.rounds
    for check in checks:
        assert log[check : check + 5] == ["poison", "wait", "run", "wait", "outputs"]


def test_the_row_says_what_was_run(bench: Bench) -> None:
    (result,) = bench.results("right")
    load = result.workload
    assert (load.variant, load.sizes) == ("mpd-11", {"batch": 1, "samples": 1024})
    assert (load.views, load.precision, load.threads) == ((), "fp32", 1)
    assert load.audio_seconds == pytest.approx(1024 / 22050)
    assert not load.makes_audio, "a score is no audio"
    assert (load.source, load.weights) == ("clip", "seed 0")
    assert 3e8 < result.flops < 4e8
    assert result.flops == sum(layer.flops for layer in result.layers)
    assert result.bytes_moved == sum(layer.bytes for layer in result.layers) > 33e6
    assert {layer.seconds for layer in result.layers} == {NOT_TAKEN}


def test_a_row_without_a_time_has_its_layers_too(bench: Bench) -> None:
    (right, absent) = bench.results("right", "absent")
    assert absent.layers == right.layers and absent.bytes_moved == right.bytes_moved


def test_layers_are_asked_for_of_what_was_timed_and_of_nothing_else(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    profiled = []

    def profile(found: Backend, case: Case) -> tuple[Layer, ...]:
        profiled.append(found.name)
        assert case.options == ({"precision": "tf32"} if found.name == "chosen" else {})
        return (Layer("conv", "Conv", 1, 1, seconds=0.5),)

    monkeypatch.setattr(runner, "profile", profile)
    names = ("right", "wrong", "fallen-back", "absent", "chosen:precision=tf32")
    plan = replace(PLAN, backends=names, layers=True)
    rows = {step.backend: step for step in bench.steps(plan) if isinstance(step, Result)}
    assert sorted(profiled) == ["chosen", "right"]
    assert {layer.seconds for layer in rows["right"].layers} == {0.5}
    assert {layer.seconds for layer in rows["wrong"].layers} == {NOT_TAKEN}


def test_a_runtime_that_cannot_time_layers_keeps_its_row_and_says_why(bench: Bench) -> None:
    plan = replace(PLAN, layers=True)
    (row,) = [step for step in bench.steps(plan) if isinstance(step, Result)]
    assert isinstance(row.measurement, Measurement)
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
    plan = replace(PLAN, views=("scores", "pair"), batches=(2,))
    list(bench.steps(plan))
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
    assert refused.measurement == Skipped("failed: ValueError: no kernel for mpd-11; at line 1")
    assert refused.parity == refused.prepare_seconds == refused.measurement
    assert isinstance(after.measurement, Measurement)


def test_a_folder_that_is_full_says_what_to_set(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(np, "savez", full)
    told = "cannot write .*: No space left on device: set TMPDIR to a folder with more space"
    with pytest.raises(HifiError, match=told):
        bench.results("right")


@pytest.mark.parametrize("method", FAILING)
def test_a_session_that_fails_is_closed_and_the_sweep_goes_on(bench: Bench, method: str) -> None:
    failed, after = bench.results(f"no-{method}", "right")
    assert failed.measurement == Skipped(f"failed: RuntimeError: {method} fails; as it was told")
    assert isinstance(after.measurement, Measurement)
    assert bench.sessions[0].log[-1] == "close"
    assert bench.sessions[0].log.count("close") == 1


def test_an_error_without_words_is_a_row_too(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(case: Case) -> Session:
        del case
        raise AssertionError

    monkeypatch.setattr(backend, "backends", lambda: {"mute": FakeBackend("mute", fail)})
    (result,) = bench.results("mute")
    assert isinstance(result.measurement, Skipped)
    assert "AssertionError" in result.measurement.reason


def test_an_interruption_ends_the_sweep(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(self: FakeSession) -> None:
        raise KeyboardInterrupt(self)

    monkeypatch.setattr(FakeSession, "poison", interrupt)
    with pytest.raises(KeyboardInterrupt):
        bench.results("right", "chosen")
    assert [session.log[-1] for session in bench.sessions] == ["close", "close"]


def test_what_was_finished_is_not_measured_again(bench: Bench) -> None:
    first = bench.results("right", "wrong")
    again = Ledger(bench.ledger)
    assert again.resume() == 2
    plan = replace(PLAN, backends=("right", "wrong", "chosen"))
    steps = list(sweep(plan, bench, again, Here))
    rows = [step for step in steps if isinstance(step, Result)]
    assert rows[:2] == first
    assert [row.backend for row in rows] == ["right", "wrong", "chosen"]
    assert len(bench.sessions) == 3, "only the new one ran"


def test_nothing_to_run_computes_no_reference(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bench.judge.reference", None)
    absent, unknown = bench.results("absent", "nope")
    assert isinstance(absent.measurement, Skipped) and isinstance(unknown.measurement, Skipped)


def test_a_wrong_backend_has_no_speed(bench: Bench) -> None:
    wrong, right = bench.results("wrong", "right")
    assert isinstance(wrong.parity, Parity) and not wrong.parity.passed
    assert isinstance(wrong.measurement, Skipped)
    assert wrong.measurement.reason.startswith("parity failed: ")
    assert wrong.parity.worst.name in wrong.measurement.reason
    assert "60.0 dB" in wrong.measurement.reason and "100 dB" in wrong.measurement.reason
    assert isinstance(wrong.gflop_per_second, Skipped)
    assert "poison" not in bench.sessions[0].log
    assert bench.sessions[0].log[-1] == "close"
    assert isinstance(right.measurement, Measurement)


def test_every_clock_and_the_proof_are_in_the_row(bench: Bench) -> None:
    (result,) = bench.results("proved")
    assert isinstance(result.measurement, Measurement) and result.measurement.clock == "call"
    assert isinstance(result.end_to_end, Measurement) and result.end_to_end.clock == "end-to-end"
    assert isinstance(result.device, Skipped)
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
        assert "poison" not in session.log and session.log[-1] == "close"
    assert isinstance(after.measurement, Measurement)


def test_an_explained_refusal_is_told_as_it_is(bench: Bench) -> None:
    (result,) = bench.results("explains")
    assert result.measurement == Skipped("batch 1 is outside of 2 to 4: choose one inside")


def test_options_reach_the_backend_and_its_row_has_them_in_its_name(bench: Bench) -> None:
    plain, chosen = bench.results("chosen", "chosen:precision=tf32")
    assert (plain.backend, chosen.backend) == ("chosen", "chosen:precision=tf32")
    assert [case.options for case in bench.cases] == [{"precision": "fp32"}, {"precision": "tf32"}]


def test_a_precision_that_was_asked_for_has_its_own_budget(bench: Bench) -> None:
    exact, rounded = bench.results("chosen", "chosen:precision=tf32")
    assert (exact.workload.precision, rounded.workload.precision) == ("fp32", "tf32")
    assert isinstance(exact.parity, Parity) and isinstance(rounded.parity, Parity)
    assert (exact.parity.budget_db, rounded.parity.budget_db) == (100.0, 55.0)


def test_a_least_snr_is_the_budget_of_every_row(bench: Bench) -> None:
    plan = replace(PLAN, backends=("wrong", "chosen:precision=tf32"), min_snr_db=59.0)
    wrong, chosen = (step for step in bench.steps(plan) if isinstance(step, Result))
    for row in (wrong, chosen):
        assert isinstance(row.parity, Parity) and row.parity.budget_db == 59.0
        assert isinstance(row.measurement, Measurement), "60 dB are enough for this once"
    (again,) = bench.results("wrong")
    assert isinstance(again.measurement, Skipped), "the ledger knows another budget"


def test_pytorchs_own_error_is_that_of_the_rows_precision(bench: Bench) -> None:
    exact, rounded = bench.results("chosen", "chosen:precision=tf32")
    assert isinstance(exact.parity, Parity) and isinstance(rounded.parity, Parity)
    assert min(output.torch_snr_db for output in exact.parity.outputs) > 100
    assert 45 < min(output.torch_snr_db for output in rounded.parity.outputs) < 80


def test_a_precision_of_the_file_is_exported_for_those_who_want_it(bench: Bench) -> None:
    plain, half, brief = bench.results("files", "files:precision=fp16", "files:precision=bf16")
    requests = [(case.request.precision.base, case.request.opset) for case in bench.cases]
    assert sorted(requests) == [("bf16", 22), ("fp16", 18), ("fp32", 18)]
    assert [case.runtime for case in bench.cases] == ["fp32"] * 3
    held = {case.artifact.manifest.precision.base for case in bench.cases}
    assert held == {"fp32", "fp16", "bf16"}
    assert [row.workload.precision for row in (plain, half, brief)] == ["fp32", "fp16", "bf16"]
    assert half.bytes_moved == brief.bytes_moved == sum(x.bytes // 2 for x in plain.layers)


def test_a_file_that_is_not_exact_enough_is_a_row_and_the_sweep_goes_on(bench: Bench) -> None:
    plan = replace(PLAN, backends=("files:precision=bf16", "right"), min_snr_db=90.0)
    refused, after = (step for step in bench.steps(plan) if isinstance(step, Result))
    assert isinstance(refused.measurement, Skipped)
    assert "leaves every layer in float32" in refused.measurement.reason
    assert (refused.backend, refused.workload.precision) == ("files:precision=bf16", "bf16")
    assert isinstance(after.measurement, Measurement)


def test_what_lacks_a_precision_says_what_it_has(bench: Bench) -> None:
    (row,) = bench.results("chosen:precision=int8")
    told = "'int8' is no value of chosen's precision: choose from fp32, tf32"
    assert row.measurement == Skipped(told)
    assert row.workload.precision == "int8"


@pytest.mark.parametrize(
    ("spec", "told"),
    [
        ("chosen:tf33=on", "chosen has no option 'tf33': it has precision"),
        ("chosen:precision", "'' is no value of chosen's precision: choose from fp32, tf32"),
        (
            "chosen:precision=f32",
            "'f32' is no value of chosen's precision: did you mean 'fp32'? choose from fp32, tf32",
        ),
        ("right:precision=tf32", "right has no option 'precision': it has none"),
    ],
)
def test_an_option_that_is_unknown_is_a_row_with_the_known_ones(
    bench: Bench, spec: str, told: str
) -> None:
    (result,) = bench.results(spec)
    assert (result.backend, result.measurement) == (spec, Skipped(told))


def test_each_phase_is_told_before_it_begins(bench: Bench) -> None:
    plan = replace(PLAN, backends=("right", "nope"), batches=(1, 2), rounds=1)
    told = []
    for step in bench.steps(plan):
        if isinstance(step, Phase):
            told.append(step.label)
            if step.label.endswith("export"):
                assert len(bench.exported) == sum("export" in each for each in told) - 1
        elif isinstance(step, Result):
            told.append(f"{step.backend} {step.workload.batch}")
    for batch in (1, 2):
        expected = [
            "mpd-11: export",
            f"nope {batch}",
            f"mpd-11 x {batch}: reference in float64",
            f"mpd-11 x {batch} on right: prepare and warm up",
            f"mpd-11 x {batch} on right: round 1 of 1",
        ]
        assert told[: len(expected)] == expected
        told = told[told.index(f"right {batch}") + 1 :]
    assert bench.built == [MPD_11], "a network is built once for all its batches"


def test_every_session_is_closed(bench: Bench) -> None:
    bench.results("right", "wrong", "chosen")
    assert [session.log[-1] for session in bench.sessions] == ["close"] * 3


def test_rows_stand_in_the_order_of_the_plan(bench: Bench) -> None:
    names = ("chosen", "nope", "right", "wrong")
    assert [row.backend for row in bench.results(*names)] == list(names)


def test_a_plan_counts_its_cells() -> None:
    plan = replace(PLAN, backends=("a", "b", "c"), batches=(1, 2), variants=(MPD_11,) * 4)
    assert plan.cells == 24


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"threads": 0}, "0 threads"),
        ({"min_snr_db": float("nan")}, "a least SNR of nan dB"),
        ({"rounds": 0}, "0 rounds: choose 1 to 100"),
        ({"timeout": 0}, "a timeout of 0 seconds"),
        ({"timeout": float("nan")}, "a timeout of nan seconds: choose more than 0"),
        ({"timeout": 1e308}, r"a timeout of 1e\+308 seconds: .* at most 1000000"),
        ({"threads": 10**6}, "choose 1 to 1024"),
        ({"batches": (2**16,), "sizes": {"samples": 2**28}}, "this process may use"),
        ({"sizes": {"samples": 5}}, "choose 6 to "),
        ({"batches": (1, 0)}, "batch 0"),
        ({"batches": (-3,)}, "batch -3"),
        ({"variants": (MPD_11, Variant("mpd", "4"))}, "period 4"),
    ],
)
def test_a_plan_is_checked_at_the_door(change: dict[str, object], told: str) -> None:
    with pytest.raises(HifiError, match=told) as caught:
        replace(PLAN, **change)  # type: ignore[arg-type]
    assert "\n" not in str(caught.value)
