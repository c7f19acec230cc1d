"""A part of a sweep: what is measured together, checked before anything heavy is imported."""

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING

from bench.choice import told_precision
from bench.records import Workload
from bench.stopping import BESIDE, WARM_SECONDS, Limits
from export import memory
from export.request import ExportRequest, sizes_at
from hifigan_ref import audio
from hifigan_ref.audio import Recording
from hifigan_ref.errors import HifiError
from hifigan_ref.input_files import Files, check_files, read_files
from hifigan_ref.network import Sizes
from hifigan_ref.source import Source
from hifigan_ref.variant import USUAL, Variant
from hifigan_ref.views import View

if TYPE_CHECKING:
    from bench.suite import Plan


@dataclass(frozen=True)
class SweepCell:
    """What will be one row.

    Attributes:
        backend: with its options.
        workload: weights are named, not read.
    """

    backend: str
    workload: Workload


@dataclass(frozen=True)
class SweepPart:
    """Every backend on every variant at every batch; the defaults are those of the plain command.

    Attributes:
        backends: known ones, with their options.
        threads: that a CPU runtime may use.
        variants: networks.
        batches: N.
        sizes: lengths of other axes.
        views: how the networks are seen.
        checkpoint: weights, instead of a seed's.
        seed: of the weights without a checkpoint.
        wav: instead of the shipped clip.
        inputs: files of the values that some inputs get, by name.
        limit: seconds of sampling per cell, at most.
        rounds: in which every cell is measured again.
        timeout: seconds that a cell may take.
        min_snr: least SNR of the worst output, dB, or None for each precision's own.

    Raises:
        HifiError: on construction, for a value that is out of range or a file that is not there.
    """

    backends: tuple[str, ...]
    threads: int
    variants: tuple[Variant, ...] = tuple(map(Variant, USUAL))
    batches: tuple[int, ...] = (1,)
    sizes: Sizes = field(default_factory=dict)
    views: tuple[View, ...] = ()
    checkpoint: Path | None = None
    seed: int = 0
    wav: Path | None = None
    inputs: Mapping[str, Path] = field(default_factory=dict)
    limit: float = Limits.most
    rounds: int = 5
    timeout: float = 600.0
    min_snr: float | None = None

    def __post_init__(self) -> None:
        files = self.files()
        for variant, batch in product(self.variants, self.batches):
            sizes = sizes_at(variant, self.sizes, batch)
            request = ExportRequest(variant, sizes=sizes, views=self.views)
            check_files(files, request.signature.inputs)
            memory.demand(request, sizes, in_float64=True)
        # long names
        if self.checkpoint and not os.path.isfile(self.checkpoint):  # noqa: PTH113
            raise HifiError(
                f"checkpoint {self.checkpoint} is no file: give the path of a do_* file"
            )

    @property
    def source(self) -> Source:
        """Of the weights."""
        return Source.of(self.variants, self.checkpoint, self.seed)

    @property
    def limits(self) -> Limits:
        """Of each measurement."""
        return Limits.up_to(self.limit)

    def recording(self) -> Recording:
        """Of the waveforms. Raises HifiError where the file is not readable as one."""
        return audio.read_wav(self.wav) if self.wav else audio.speech()

    def files(self) -> Files:
        """Values of inputs. Raises HifiError where a file holds none."""
        return read_files([f"{name}={path}" for name, path in self.inputs.items()])

    def cells(self) -> Iterator[SweepCell]:
        """In the order in which they are measured."""
        told = [self.wav.name if self.wav else "clip"]
        source = ", ".join(told + [f"{name}: {path}" for name, path in self.inputs.items()])
        weights = self.checkpoint.name if self.checkpoint else f"seed {self.seed}"
        for variant, batch, backend in product(self.variants, self.batches, self.backends):
            load = Workload(
                str(variant),
                sizes_at(variant, self.sizes, batch),
                self.views,
                told_precision(backend),
                source,
                weights,
                self.threads,
            )
            yield SweepCell(backend, load)

    def seconds_per_cell(self) -> tuple[float, float]:
        """Warm-up and sampling by the host's two clocks, at least and at most."""
        limits = self.limits
        least = 2 * min(WARM_SECONDS, limits.warmup) + limits.least * (1 + 1 / BESIDE)
        most = 2 * limits.warmup + limits.most * (1 + 1 / BESIDE)
        return min(least, self.timeout), min(most, self.timeout)

    def plan(self) -> "Plan":
        """The part for ``bench.suite``. Raises HifiError as ``recording`` does."""
        from bench.suite import Plan

        return Plan(
            backends=self.backends,
            variants=self.variants,
            batches=self.batches,
            sizes=self.sizes,
            views=self.views,
            threads=self.threads,
            recording=self.recording(),
            limits=self.limits,
            rounds=self.rounds,
            timeout=self.timeout,
            min_snr_db=self.min_snr,
            inputs=self.files(),
        )
