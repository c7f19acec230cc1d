"""The loop: export, reference, and for each backend skip or prepare, compare, measure, close."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from time import perf_counter

from bench import parity
from bench.backend import Backend, Case, backends
from bench.measure import measure
from bench.records import (
    SCHEMA,
    Ceiling,
    Machine,
    Parity,
    Report,
    Result,
    Skipped,
    Workload,
)
from bench.stopping import Limits
from export.cache import cached_export
from export.flops import count_flops
from export.request import ExportRequest, Outputs
from hifigan_ref.audio import Recording
from hifigan_ref.errors import HifiError
from hifigan_ref.trained import Weights
from hifigan_ref.variant import Variant
from hifigan_ref.version import VERSION


@dataclass(frozen=True)
class Plan:
    """What to measure: every backend on every variant at every batch.

    Attributes:
        backends: names, known or not.
        variants: networks.
        batches: N.
        samples: T.
        outputs: ``all`` or ``scores``.
        pair: y and y_hat in one pass.
        threads: that a CPU runtime may use.
        recording: where the waveforms come from.
        limits: of each measurement.

    Raises:
        HifiError: on construction, for a value that is out of range.
    """

    backends: tuple[str, ...]
    variants: tuple[Variant, ...]
    batches: tuple[int, ...]
    samples: int
    outputs: Outputs
    pair: bool
    threads: int
    recording: Recording
    limits: Limits

    def __post_init__(self) -> None:
        if self.threads < 1:
            raise HifiError(f"{self.threads} threads are not positive: choose 1 or more")
        for variant in self.variants:
            for batch in self.batches:
                # one fixed shape each, for the checks of its values
                ExportRequest(variant, batch=batch, samples=self.samples, outputs=self.outputs)

    @property
    def cells(self) -> int:
        """Number of results to come."""
        return len(self.backends) * len(self.variants) * len(self.batches)


@dataclass(frozen=True)
class Phase:
    """What is being done now, for whoever watches."""

    label: str


def sweep(plan: Plan, weights: Weights) -> Iterator[Phase | Result]:
    """Measure every cell, telling each phase before it begins."""
    for variant in plan.variants:
        yield Phase(f"{variant}: weights")
        trained = weights.build(variant)
        request = ExportRequest(variant, outputs=plan.outputs, pair=plan.pair)
        yield Phase(f"{variant}: export")
        artifact = cached_export(request, trained)
        for batch in plan.batches:
            yield Phase(f"{variant} x {batch}: reference in float64")
            inputs = {
                name: plan.recording.batch(batch, plan.samples, first=i * batch)
                for i, name in enumerate(request.inputs)
            }
            load = Workload(
                str(variant),
                batch,
                plan.samples,
                plan.outputs,
                plan.pair,
                "fp32",
                plan.recording.source,
                trained.origin,
                plan.threads,
            )
            expected = parity.reference(trained, request, inputs)
            flops = _flops(artifact.path, load)
            case = Case(load, request, trained, artifact, inputs, flops)
            for name in plan.backends:
                yield from _cell(name, case, expected, plan.limits)


def report_of(
    plan: Plan, machine: Machine, ceiling: Ceiling, results: tuple[Result, ...]
) -> Report:
    """The record of a finished sweep."""
    recording = plan.recording
    return Report(
        schema=SCHEMA,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        tool=f"hifi-export {VERSION}",
        machine=machine,
        ceiling=ceiling,
        sample_rate=recording.rate,
        notes=(recording.note,) if recording.note else (),
        results=results,
    )


def _cell(
    name: str, case: Case, expected: parity.Reference, limits: Limits
) -> Iterator[Phase | Result]:
    label = f"{case.workload.variant} x {case.workload.batch} on {name}"
    backend = backends().get(name)
    if backend is None:
        reason = f"no backend {name!r}: choose from {', '.join(backends())}"
        yield _skipped(name, case, reason)
    elif (missing := backend.missing()) is not None:
        yield _skipped(name, case, missing)
    else:
        yield Phase(f"{label}: prepare and measure")
        yield _run(backend, case, expected, limits)


def _run(backend: Backend, case: Case, expected: parity.Reference, limits: Limits) -> Result:
    start = perf_counter()
    try:
        session = backend.prepare(case)
        try:
            session.run()
            session.wait()
            prepare_seconds = perf_counter() - start
            budget = parity.BUDGETS_DB[case.workload.precision]
            found = parity.compare(expected, session.outputs(), budget)
            measurement = measure(session, limits) if found.passed else Skipped(_verdict(found))
            settings = session.settings()
        finally:
            session.close()
    # A runtime fails in types of its own; whatever it says becomes its row.
    except Exception as error:  # noqa: BLE001
        told = (str(error).strip().splitlines() or [""])[0]
        return _skipped(backend.name, case, f"failed: {type(error).__name__}: {told}")
    return Result(
        backend.name, case.workload, prepare_seconds, found, measurement, settings, case.flops
    )


def _verdict(found: Parity) -> str:
    worst = found.worst
    return (
        f"parity failed: {worst.name} has an SNR of {worst.snr_db:.1f} dB, "
        f"the budget is {found.budget_db:.0f} dB"
    )


def _flops(path: Path, load: Workload) -> int:
    import onnx_ir as ir

    layers = count_flops(ir.load(path), load.batch, load.samples)
    return sum(layer.flops for layer in layers)


def _skipped(name: str, case: Case, reason: str) -> Result:
    hole = Skipped(reason)
    return Result(name, case.workload, hole, hole, hole, {}, case.flops)
