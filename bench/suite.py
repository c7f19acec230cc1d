"""The loop: export, reference, and for each backend skip or prepare, compare, measure, close."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from time import perf_counter
from typing import TYPE_CHECKING

from bench import parity
from bench.backend import Backend, Case, Session, find
from bench.measure import measure
from bench.profiler import graph_layers, profile, untimed, with_times
from bench.proof import NotAsAskedError, verdict
from bench.records import (
    NOT_TAKEN,
    SCHEMA,
    Ceiling,
    Machine,
    Measurement,
    Parity,
    Report,
    Result,
    Skipped,
    Workload,
)
from bench.stopping import Limits
from export import memory
from export.cache import cached_export
from export.request import ExportRequest, Outputs
from hifigan_ref.audio import Recording
from hifigan_ref.errors import HifiError
from hifigan_ref.source import Weights
from hifigan_ref.variant import Variant
from hifigan_ref.version import VERSION

if TYPE_CHECKING:
    from hifigan_ref.trained import Trained


MOST_THREADS = 1024


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
        layers: whether runtimes that can are asked for the time of each layer.

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
    layers: bool = False

    def __post_init__(self) -> None:
        if not 1 <= self.threads <= MOST_THREADS:
            raise HifiError(f"{self.threads} threads: choose 1 to {MOST_THREADS}")
        for variant in self.variants:
            for batch in self.batches:
                # one fixed shape each, for the checks of its values
                ExportRequest(variant, batch=batch, samples=self.samples, outputs=self.outputs)
                memory.demand(batch, self.samples)

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
        artifact = cached_export(request, weights.identity, partial(_built, trained))
        for batch in plan.batches:
            yield Phase(f"{variant} x {batch}: reference in float64")
            inputs = {
                name: plan.recording.sounding(batch, plan.samples, first=i * batch)
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
            case = Case(load, request, trained, artifact, inputs, flops=0)
            layers = untimed(graph_layers(case))
            case = replace(case, layers=layers, flops=sum(layer.flops for layer in layers))
            for name in plan.backends:
                yield from _cell(name, case, expected, plan)


def report_of(
    plan: Plan,
    machine: Machine,
    ceiling: Ceiling,
    results: tuple[Result, ...],
    gpu_ceiling: Ceiling | Skipped = NOT_TAKEN,
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
        gpu_ceiling=gpu_ceiling,
    )


def _cell(
    name: str, case: Case, expected: parity.Reference, plan: Plan
) -> Iterator[Phase | Result]:
    try:
        backend, options = find(name)
    except HifiError as error:
        yield _skipped(name, case, str(error))
        return
    missing = backend.missing()
    if missing is not None:
        yield _skipped(name, case, missing)
        return
    yield Phase(f"{case.workload.variant} x {case.workload.batch} on {name}: prepare and measure")
    load = replace(case.workload, precision=parity.precision_of(options))
    case = replace(case, workload=load, options=options)
    result = _run(name, backend, case, expected, plan.limits)
    if plan.layers and isinstance(result.measurement, Measurement):
        result = replace(result, layers=with_times(case.layers, profile(backend, case)))
    yield result


def _run(
    name: str, backend: Backend, case: Case, expected: parity.Reference, limits: Limits
) -> Result:
    start = perf_counter()
    try:
        session = backend.prepare(case)
        try:
            session.run()
            session.wait()
            prepare_seconds = perf_counter() - start
            return _judge(name, session, case, expected, limits, prepare_seconds)
        finally:
            session.close()
    except NotAsAskedError as error:
        return replace(_skipped(name, case, str(error)), proof=error.claims)
    except HifiError as error:
        return _skipped(name, case, str(error))
    # A runtime fails in types of its own; whatever it says becomes its row.
    except Exception as error:  # noqa: BLE001
        told = (str(error).strip().splitlines() or [""])[0]
        return _skipped(name, case, f"failed: {type(error).__name__}: {told}")


def _judge(
    name: str,
    session: Session,
    case: Case,
    expected: parity.Reference,
    limits: Limits,
    prepare_seconds: float,
) -> Result:
    """Proof, then parity, and only then times."""
    claims = session.proof()
    found = parity.compare(expected, session.outputs(), parity.BUDGETS_DB[case.workload.precision])
    wrong = None
    if not all(claim.holds for claim in claims):
        wrong = Skipped(verdict(claims))
    elif not found.passed:
        wrong = Skipped(_verdict(found))
    settings = session.settings()
    result = Result(
        backend=name,
        workload=case.workload,
        prepare_seconds=prepare_seconds,
        parity=found,
        measurement=wrong or NOT_TAKEN,
        settings=settings,
        flops=case.flops,
        proof=claims,
        layers=case.layers,
        bytes_moved=sum(layer.bytes for layer in case.layers),
    )
    if wrong:
        return result
    clocks = measure(session, case.inputs, limits)
    return replace(
        result, measurement=clocks.call, device=clocks.device, end_to_end=clocks.end_to_end
    )


def _verdict(found: Parity) -> str:
    worst = found.worst
    return (
        f"parity failed: {worst.name} has an SNR of {worst.snr_db:.1f} dB, "
        f"the budget is {found.budget_db:.0f} dB"
    )


def _built(trained: "Trained", variant: Variant) -> "Trained":
    assert trained.variant == variant
    return trained


def _skipped(name: str, case: Case, reason: str) -> Result:
    hole = Skipped(reason)
    moved = sum(layer.bytes for layer in case.layers)
    result = Result(name, case.workload, hole, hole, hole, {}, case.flops)
    return replace(result, layers=case.layers, bytes_moved=moved)
