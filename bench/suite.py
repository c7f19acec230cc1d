"""The loop: export, reference, and each workload's cells in processes of their own."""

import itertools
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from bench import judge, pool
from bench.backend import find, lacking
from bench.cell import rows
from bench.cell.cells import job_of
from bench.cell.group import Phase, Step, measure_group
from bench.cell.job import Job
from bench.cell.lane import Apart, Lane, Open
from bench.cell.ledger import Ledger, key_of
from bench.peer import name_of, outputs_in
from bench.records import Result, Workload
from bench.stopping import Limits, check_seconds
from bench.timing.profiler import graph_layers, untimed
from export import memory, scratch
from export.cache import cached_export
from export.request import ExportRequest, sizes_at
from hifigan_ref.audio import Recording
from hifigan_ref.errors import HifiError
from hifigan_ref.examples import source_of
from hifigan_ref.input_files import Files, check_files
from hifigan_ref.network import Sizes
from hifigan_ref.source import Weights
from hifigan_ref.variant import Variant
from hifigan_ref.views import View

if TYPE_CHECKING:
    from export.artifact import Artifact
    from hifigan_ref.trained import Trained

MOST_THREADS = 1024
MOST_ROUNDS = 100
SHUFFLE_SEED = 0


@dataclass(frozen=True)
class Plan:
    """What to measure: every backend on every variant at every batch.

    Attributes:
        backends: names, known or not.
        variants: networks.
        batches: items of each input.
        sizes: lengths of other axes; the typical ones where nothing is said.
        views: how the networks are seen.
        threads: that a CPU runtime may use.
        recording: where the waveforms come from.
        limits: of each measurement.
        rounds: in which the backends of a workload take turns.
        timeout: seconds that a cell may take for one answer.
        layers: ask runtimes for the time of each layer too.
        min_snr_db: least SNR of the worst output, dB, or None for each precision's own.
        inputs: values of some inputs, out of files.

    Raises:
        HifiError: on construction, for a value that is out of range.
    """

    backends: tuple[str, ...]
    variants: tuple[Variant, ...]
    batches: tuple[int, ...]
    sizes: Sizes
    views: tuple[View, ...]
    threads: int
    recording: Recording
    limits: Limits
    rounds: int = 5
    timeout: float = 600.0
    layers: bool = False
    min_snr_db: float | None = None
    inputs: Files = field(default_factory=dict)

    def __post_init__(self) -> None:
        judge.check_least(self.min_snr_db)
        check_threads(self.threads)
        if not 1 <= self.rounds <= MOST_ROUNDS:
            raise HifiError(f"{self.rounds} rounds: choose 1 to {MOST_ROUNDS}")
        check_seconds("timeout", self.timeout)
        for variant in self.variants:
            for batch in self.batches:
                request = ExportRequest(
                    variant, sizes=self.sizes_of(variant, batch), views=self.views
                )
                check_files(self.inputs, request.signature.inputs)
                memory.demand(request, request.sizes, in_float64=True)

    def sizes_of(self, variant: Variant, batch: int) -> Sizes:
        """A length for each axis of a network."""
        return sizes_at(variant, self.sizes, batch)

    @property
    def keys(self) -> list[tuple[str, int, str]]:
        """Variant, batch and backend of every result to come."""
        return list(itertools.product(map(str, self.variants), self.batches, self.backends))

    @property
    def cells(self) -> int:
        """Number of results to come."""
        return len(self.keys)


def check_threads(threads: int) -> None:
    """Raises HifiError for a number that no runtime should be given."""
    if not 1 <= threads <= MOST_THREADS:
        raise HifiError(f"{threads} threads: choose 1 to {MOST_THREADS}")


def sweep(
    plan: Plan, weights: Weights, ledger: Ledger, open_lane: Open | None = None
) -> Iterator[Step]:
    """Measure every cell that the ledger does not hold, telling each phase before it begins.

    Args:
        plan: what to measure.
        weights: of every network.
        ledger: takes each finished row.
        open_lane: where a cell runs: in a process of its own unless told otherwise.

    Raises:
        KeyboardInterrupt: after the unfinished rows were told.
        HifiError: the weights, the export or the inputs are refused.
    """
    shuffle = random.Random(SHUFFLE_SEED)  # noqa: S311 - an order, not a secret
    for variant in plan.variants:
        network = _Network(weights, variant)
        for batch in plan.batches:
            start = open_lane or Apart
            yield from _measure_workload(plan, network, batch, ledger, start, shuffle)


class _Network:
    """A variant's weights, drawn or read when they are first needed."""

    def __init__(self, weights: Weights, variant: Variant) -> None:
        self.weights = weights
        self.variant = variant

    @cached_property
    def trained(self) -> "Trained":
        return self.weights.build(self.variant)

    def export(self, request: ExportRequest) -> "Artifact":
        """Its file, kept."""
        return cached_export(request, self.weights.identity, lambda _: self.trained)


def _measure_workload(
    plan: Plan,
    network: _Network,
    batch: int,
    ledger: Ledger,
    open_lane: Open,
    shuffle: random.Random,
) -> Iterator[Step]:
    name = f"{network.variant} x {batch}"
    request = ExportRequest(network.variant, views=plan.views)
    yield Phase(f"{network.variant}: export")
    artifact = network.export(request)
    with scratch.folder() as folder:
        plain = _plain_job(plan, network, batch, request, artifact.path, folder)
        due: dict[str, tuple[str, Job]] = {}
        for spec in plan.backends:
            job, reason = job_of(spec, plain, plan.min_snr_db)
            key = key_of(job, network.weights.identity, plan.rounds)
            known = ledger.find(key)
            if known is not None:
                yield known
                continue
            reason = reason or lacking(find(spec)[0])
            if reason is None and job.request != request:
                yield Phase(f"{network.variant}: export for {spec}")
                try:
                    job = replace(job, artifact=network.export(job.request).path)
                except HifiError as error:
                    reason = str(error)
            if reason is not None:
                yield rows.skipped(job, reason)
            else:
                due[spec] = (key, job)
        if not due:
            return
        yield Phase(f"{name}: reference in float64")
        _save_pool(plan, network, batch, [job for _, job in due.values()])

        def start(job: Job) -> Lane:
            return open_lane(job, lambda: network.trained, plan.timeout)

        ready = [job for _, job in due.values()]
        for step in measure_group(ready, start, plan.rounds, shuffle):
            if isinstance(step, Result):
                ledger.append(due[step.backend][0], step)
            yield step


def _plain_job(
    plan: Plan, network: _Network, batch: int, request: ExportRequest, path: Path, folder: Path
) -> Job:
    """In float32, of no backend yet."""
    sizes = plan.sizes_of(network.variant, batch)
    load = Workload(
        str(network.variant),
        sizes,
        plan.views,
        "fp32",
        source_of(request.signature.inputs, plan.recording, plan.inputs),
        network.weights.origin,
        plan.threads,
        request.signature.audio_seconds(sizes, plan.recording.rate),
        bool(request.signature.audio),
    )
    graph = untimed(graph_layers(path, load))
    return Job(
        "",
        load,
        request,
        path,
        folder,
        network.weights.checkpoint,
        network.weights.seed,
        sum(layer.flops for layer in graph),
        graph,
        plan.limits,
        plan.layers,
    )


def _key_of(result: Result) -> tuple[str, int, str]:
    return (result.workload.variant, result.workload.batch, result.backend)


def _save_pool(plan: Plan, network: _Network, batch: int, jobs: Sequence[Job]) -> None:
    """What every job of a workload reads: inputs, and PyTorch in float64 and in each precision."""
    request = jobs[0].request
    sizes = plan.sizes_of(network.variant, batch)
    inputs = pool.draw(plan.recording, request.signature, sizes, plan.inputs)
    expected = judge.reference(network.trained, request, inputs[0])
    others = {
        name_of(job.asked): outputs_in(job.asked, network.trained, request, inputs[0])
        for job in {name_of(job.asked): job for job in jobs if job.asked != "fp32"}.values()
    }
    pool.save(jobs[0].folder, inputs, expected, others)


def in_order(plan: Plan, results: Sequence[Result]) -> list[Result]:
    """Rows as the plan names them, whenever they came."""
    order = {key: place for place, key in enumerate(plan.keys)}
    return sorted(results, key=lambda r: order.get(_key_of(r), len(order)))
