"""What a benchmark says: frozen records with raw numbers; statistics are properties of them."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np

from bench.hardware import Ceiling, GpuMoment, GpuState, Layer, Machine, Others
from bench.hole import NOT_TAKEN, Skipped, known, require
from bench.output_errors import OutputParity, Parity
from export.precision.budget import Precision
from hifigan_ref.network import BATCH, Sizes
from hifigan_ref.views import View

__all__ = [
    "NOT_TAKEN",
    "Ceiling",
    "GpuMoment",
    "GpuState",
    "Layer",
    "Machine",
    "Others",
    "OutputParity",
    "Parity",
    "Precision",
    "Skipped",
]

RowPrecision = Precision | Literal["mixed"]
NO_AUDIO = Skipped("no axis of the network is time")
MAKES_NONE = Skipped("no output of the network is audio")

SCHEMA = 2

# Smallest number of samples at which a percentile is reported: one sample may lie above it and it
# is still an upper bound with 99 % confidence (rule 6 of docs/measurement.md).
PERCENTILE_FLOORS = {90: 64, 95: 130, 99: 662}


@dataclass(frozen=True)
class Workload:
    """What is run and under which conditions.

    Attributes:
        variant: network, as ``str(Variant)``.
        sizes: a length for each axis of the inputs.
        views: how the network is seen.
        precision: that was asked for; ``mixed`` by a plan, whose layers differ.
        source: of each input's values.
        weights: where they come from.
        threads: that a CPU runtime may use.
        audio_seconds: that are made, or else taken; None where no axis is time.
        makes_audio: whether an output is audio.
    """

    variant: str
    sizes: Sizes
    views: tuple[View, ...]
    precision: RowPrecision
    source: str
    weights: str
    threads: int
    audio_seconds: float | None = None
    makes_audio: bool = False

    def __hash__(self) -> int:
        return hash((self.variant, *sorted(self.sizes.items()), self.views, self.precision))

    @property
    def batch(self) -> int:
        """Items of each input."""
        return self.sizes.get(BATCH, 1)

    @property
    def items(self) -> int:
        """That pass through the network: of a pair, twice the batch."""
        return self.batch * (2 if "pair" in self.views else 1)


@dataclass(frozen=True)
class Claim:
    """What was asked of a runtime beside what ran: a proof of execution, or of the lack of it.

    Attributes:
        what: ``providers``, ``precision``, ``device memory``...
        asked: in words.
        found: as read back from the runtime.
        holds: whether the two agree.
    """

    what: str
    asked: str
    found: str
    holds: bool


Clock = Literal["call", "device", "end-to-end", "throughput"]


@dataclass(frozen=True)
class Measurement:
    """Latency: one call after the other, each waited for.

    Attributes:
        seconds: every sample after the warm-up.
        warmup_seconds: spent before the first sample.
        warmup_calls: made before the first sample.
        warm: whether the warm-up ended because times were stable, not because of its limit.
        converged: whether sampling ended because the interval was narrow, not because of its limit.
        clock: ``call`` is the host's, from the start of ``run`` to the end of ``wait``;
            ``device`` is a GPU's, by events around the pass; ``end-to-end`` is the host's from a
            waveform in its memory to outputs in its memory; ``throughput`` is the host's over many
            passes enqueued ahead, for one of them.
        rounds: how many of the samples each round gave, in order; one round where it is empty.
        gpu: while it worked, at the end of each round, or why nobody told.
    """

    seconds: tuple[float, ...]
    warmup_seconds: float
    warmup_calls: int
    warm: bool
    converged: bool
    clock: Clock = "call"
    rounds: tuple[int, ...] = ()
    gpu: tuple[GpuMoment, ...] | Skipped = NOT_TAKEN

    def __post_init__(self) -> None:
        positive = all(0 < sample < np.inf for sample in self.seconds)
        require(bool(self.seconds) and positive, "a measurement has samples above 0 seconds")
        whole = not self.rounds or sum(self.rounds) == len(self.seconds)
        require(whole, "the rounds hold every sample")

    @property
    def count(self) -> int:
        """Number of samples."""
        return len(self.seconds)

    @cached_property
    def median(self) -> float:
        """Seconds."""
        return float(np.median(self.seconds))

    @cached_property
    def interval(self) -> tuple[float, float]:
        """Bootstrap 95 % confidence interval of the median, seconds."""
        from bench.stopping import median_interval

        return median_interval(self.seconds)

    @property
    def sure_interval(self) -> tuple[float, float] | Skipped:
        """The same, or why there are too few samples for one."""
        from bench.stopping import LEAST_SAMPLES

        if self.count < LEAST_SAMPLES:
            return Skipped(f"too few samples: {self.count} of {LEAST_SAMPLES}")
        return self.interval

    @property
    def uncertainty(self) -> float | Skipped:
        """The wider side of the interval over the median, where there is one."""
        middle = self.median
        return known(
            self.sure_interval, lambda ends: max(ends[1] - middle, middle - ends[0]) / middle
        )

    @property
    def round_medians(self) -> tuple[float, ...]:
        """Seconds, of each round that has samples."""
        ends = np.cumsum(self.rounds or (self.count,))
        parts = np.split(np.asarray(self.seconds), ends[:-1])
        return tuple(float(np.median(part)) for part in parts if part.size)

    @property
    def mad(self) -> float:
        """Median absolute deviation, seconds."""
        return float(np.median(np.abs(np.asarray(self.seconds) - self.median)))

    @property
    def minimum(self) -> float:
        """Seconds."""
        return min(self.seconds)

    @property
    def maximum(self) -> float:
        """Seconds."""
        return max(self.seconds)

    @property
    def variation(self) -> float:
        """Coefficient of variation: standard deviation over mean."""
        return float(np.std(self.seconds) / np.mean(self.seconds))

    @property
    def states(self) -> tuple[str, ...]:
        """What a reader must know before trusting the median; empty is good."""
        why = " and ".join(self.throttled)
        told = {"not warm": self.warm, "unconverged": self.converged, f"throttled: {why}": not why}
        return tuple(state for state, fine in told.items() if not fine)

    @property
    def throttled(self) -> tuple[str, ...]:
        """Why the GPU was slower than it can be at any moment, each reason once."""
        moments = () if isinstance(self.gpu, Skipped) else self.gpu
        return tuple(dict.fromkeys(why for moment in moments for why in moment.throttled))

    def percentile(self, percent: int) -> float | Skipped:
        """Seconds, or why there are too few samples for it."""
        floor = PERCENTILE_FLOORS[percent]
        if self.count < floor:
            return Skipped(f"too few samples: {self.count} of {floor}")
        return float(np.percentile(self.seconds, percent))


@dataclass(frozen=True)
class ColdStart:
    """What passes before a runtime is steady, seconds.

    Attributes:
        imported: loading its libraries in a fresh process.
        prepared: loading, building or compiling the network.
        first_call: the first pass.
    """

    imported: float
    prepared: float
    first_call: float


@dataclass(frozen=True)
class Result:
    """One backend on one workload.

    Attributes:
        backend: its name and options as given.
        workload: what it ran.
        prepare_seconds: loading, compiling and the first call.
        parity: against PyTorch in float64.
        measurement: by the call clock; only where parity passed and every claim holds.
        settings: as read back from the runtime.
        flops: floating-point operations of one call, counted from the graph.
        device: by the device clock; a GPU's only.
        end_to_end: with the copies from and to the host.
        proof: what was asked and what ran.
        cold_start: of its process.
        throughput: passes enqueued ahead.
        checked: timed passes whose outputs were compared.
        repeat_gain: median with rotating inputs over the median with one input again and again.
        layers: of the graph, with the runtime's own times where it was asked for them.
        bytes_moved: by one call at least: weights, inputs and outputs of every layer, each once.
        peak_memory_bytes: of the process.
        device_memory_bytes: of the process on a GPU.
        joules_per_item: of a batch, from the GPU's energy counter.
        others: what other processes took meanwhile.
    """

    backend: str
    workload: Workload
    prepare_seconds: float | Skipped
    parity: Parity | Skipped
    measurement: Measurement | Skipped
    settings: Mapping[str, str]
    flops: int
    device: Measurement | Skipped = NOT_TAKEN
    end_to_end: Measurement | Skipped = NOT_TAKEN
    proof: tuple[Claim, ...] = ()
    cold_start: ColdStart | Skipped = NOT_TAKEN
    throughput: Measurement | Skipped = NOT_TAKEN
    checked: int = 0
    repeat_gain: float | Skipped = NOT_TAKEN
    layers: tuple[Layer, ...] = ()
    bytes_moved: int = 0
    peak_memory_bytes: int | Skipped = NOT_TAKEN
    device_memory_bytes: int | Skipped = NOT_TAKEN
    joules_per_item: float | Skipped = NOT_TAKEN
    others: Others | Skipped = NOT_TAKEN

    def __post_init__(self) -> None:
        timed = isinstance(self.measurement, Measurement)
        require(not (timed and self.broken), "what ran otherwise than asked has no speed")

    @property
    def clocks(self) -> tuple[Measurement, ...]:
        """By every clock that has one, the call clock first."""
        found = (self.measurement, self.device, self.end_to_end, self.throughput)
        return tuple(each for each in found if isinstance(each, Measurement))

    @property
    def broken(self) -> tuple[Claim, ...]:
        """Claims that do not hold: any makes the row INVALID."""
        return tuple(claim for claim in self.proof if not claim.holds)

    @property
    def gflop_per_second(self) -> float | Skipped:
        """At the median."""
        if isinstance(self.measurement, Skipped):
            return self.measurement
        return self.flops / self.measurement.median / 1e9

    @property
    def audio_seconds_per_second(self) -> float | Skipped:
        """Seconds of audio in a second, at the median; all inputs count."""
        if isinstance(self.measurement, Skipped):
            return self.measurement
        return audio_rate(self.workload, self.measurement.median)

    @property
    def real_time_factor(self) -> float | Skipped:
        """Seconds of work for each second of audio taken or made, at the median."""
        if isinstance(self.measurement, Skipped):
            return self.measurement
        audio = self.workload.audio_seconds
        return self.measurement.median / audio if audio else NO_AUDIO

    @property
    def first_audio_cold(self) -> float | Skipped:
        """Seconds until the first audio: loading or building the network, and the first call."""
        if not self.workload.makes_audio:
            return MAKES_NONE
        start = self.cold_start
        return start if isinstance(start, Skipped) else start.prepared + start.first_call

    @property
    def first_audio_warm(self) -> float | Skipped:
        """Seconds until the audio of a call that is not the first, at the median."""
        if not self.workload.makes_audio:
            return MAKES_NONE
        timed = self.measurement
        return timed if isinstance(timed, Skipped) else timed.median


def audio_rate(load: Workload, seconds: float) -> float | Skipped:
    """Seconds of audio of a workload for each second that it takes."""
    if load.audio_seconds is None:
        return NO_AUDIO
    return load.audio_seconds / seconds


@dataclass(frozen=True)
class Report:
    """A whole run.

    Attributes:
        schema: version of this record.
        created: UTC, ISO 8601.
        tool: name and version of what wrote it.
        machine: what ran it.
        ceiling: the speed that 100 % stands for on the CPU.
        sample_rate: of the waveforms, Hz.
        notes: what a reader must know about the inputs.
        results: in the order they were measured.
        gpu_ceiling: the speed that 100 % stands for on a GPU, in float32.
        ceilings: of every precision on every device that was measured.
    """

    schema: int
    created: str
    tool: str
    machine: Machine
    ceiling: Ceiling
    sample_rate: int
    notes: tuple[str, ...]
    results: tuple[Result, ...]
    gpu_ceiling: Ceiling | Skipped = NOT_TAKEN
    ceilings: tuple[Ceiling, ...] = ()

    def __post_init__(self) -> None:
        require(self.sample_rate > 0, "a sample rate is above 0 Hz")

    def ceiling_of(self, result: Result) -> Ceiling | Skipped:
        """That of the device which ran a row."""
        return self.gpu_ceiling if isinstance(result.device, Measurement) else self.ceiling
