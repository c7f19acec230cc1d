"""What a cell's process is told, and what it answers: records that travel as JSON lines."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from bench.records import (
    NOT_TAKEN,
    Claim,
    Clock,
    ColdStart,
    GpuMoment,
    Layer,
    Parity,
    Precision,
    Skipped,
    Workload,
)
from bench.stopping import Limits
from export.precision.budget import PRECISIONS
from export.precision.plan import PrecisionPlan
from export.request import ExportRequest


@dataclass(frozen=True)
class Job:
    """One cell: a backend on a workload.

    Attributes:
        backend: its name and options as given.
        workload: what is run.
        request: the graph's.
        artifact: the exported file.
        folder: where inputs and references lie.
        checkpoint: of the weights, or None for seeded ones.
        seed: without a checkpoint.
        flops: of one call.
        graph: its layers, not yet timed.
        limits: of the measurement.
        layers: whether the runtime's own profiler is asked too.
        asked: the precision of all layers, or a plan's.
        runtime: what the runtime is asked to compute the graph's float32 in.
        budget_db: least SNR of the worst output, dB.
    """

    backend: str
    workload: Workload
    request: ExportRequest
    artifact: Path
    folder: Path
    checkpoint: Path | None
    seed: int
    flops: int
    graph: tuple[Layer, ...]
    limits: Limits
    layers: bool = False
    asked: Precision | PrecisionPlan = "fp32"
    runtime: Precision = "fp32"
    budget_db: float = PRECISIONS["fp32"].budget_db


@dataclass(frozen=True)
class Prepared:
    """A session is ready.

    Attributes:
        cold_start: of its process.
        settings: as read back.
        proof: what was asked and what ran.
        parity: of the first pass.
    """

    cold_start: ColdStart
    settings: Mapping[str, str]
    proof: tuple[Claim, ...]
    parity: Parity


@dataclass(frozen=True)
class WarmedUp:
    """Calls are stable, or the limit passed.

    Attributes:
        seconds: of all calls together.
        calls: how many.
        warm: whether they became stable.
    """

    seconds: float
    calls: int
    warm: bool


@dataclass(frozen=True)
class Sampled:
    """One round.

    Attributes:
        seconds: of each call.
        gpu: at its end, still at work.
    """

    seconds: tuple[float, ...]
    gpu: GpuMoment | Skipped = NOT_TAKEN


@dataclass(frozen=True)
class Finished:
    """Everything that is measured once.

    Attributes:
        parity: the worst of every checked pass.
        checked: how many timed passes were compared.
        device: seconds by the device clock, none on a CPU.
        end_to_end: seconds with the copies.
        throughput: seconds of a pass, many enqueued ahead, none on a CPU.
        repeated: seconds of calls on one input again and again.
        peak_memory_bytes: of the process.
        device_memory_bytes: of the process on a GPU.
        joules_per_item: of a batch, from the GPU's counter.
        layers: of the graph, with the runtime's own times if they were asked for.
        gpu: at the end of each other clock's samples, still at work.
    """

    parity: Parity
    checked: int
    device: tuple[float, ...]
    end_to_end: tuple[float, ...]
    throughput: tuple[float, ...]
    repeated: tuple[float, ...]
    peak_memory_bytes: int | Skipped
    device_memory_bytes: int | Skipped
    joules_per_item: float | Skipped
    layers: tuple[Layer, ...]
    gpu: Mapping[Clock, GpuMoment | Skipped] = field(default_factory=dict)


@dataclass(frozen=True)
class Failed:
    """A cell ends here.

    Attributes:
        reason: its row's.
        proof: claims, if one of them is why.
        died: whether its process ended or hung, which another time it may not.
    """

    reason: str
    proof: tuple[Claim, ...] = ()
    died: bool = False


@dataclass(frozen=True)
class Command:
    """What a process is asked to do.

    Attributes:
        name: ``prepare``, ``warm_up``, ``sample`` or ``finish``.
        seconds: of a round.
    """

    name: str
    seconds: float = 0.0


Reply = Prepared | WarmedUp | Sampled | Finished | Failed
