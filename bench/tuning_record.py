"""What a tuner finds: frozen records with raw numbers."""

from collections.abc import Mapping
from dataclasses import dataclass
from statistics import median

from bench.hardware import Machine, Others
from bench.hole import NOT_TAKEN, Skipped
from bench.parity.report import ParityReport
from bench.records import Precision, Report, Result
from export.artifact import Artifact
from export.lowering.plan import LoweringPlan
from hifigan_ref.network import Sizes
from hifigan_ref.views import View

SCHEMA = 2
PEER = "torch"  # what every result is compared with besides the plain file


@dataclass(frozen=True)
class Trial:
    """One form of one layer, alone in the runtime.

    Attributes:
        form: as in a plan.
        flops: floating-point operations of a call.
        bytes: that its nodes must move, each value once per node.
        seconds: median of each round; none where it did not run.
        snr_db: against the layer in float64 on noise, or why it did not run.
    """

    form: str
    flops: int
    bytes: int
    seconds: tuple[float, ...]
    snr_db: float | Skipped

    def is_exact(self, floor_db: float) -> bool:
        """Whether it ran and its SNR is at least so many dB."""
        return not isinstance(self.snr_db, Skipped) and self.snr_db >= floor_db

    @property
    def median(self) -> float:
        """Seconds; infinite where it did not run."""
        return median(self.seconds) if self.seconds else float("inf")


@dataclass(frozen=True)
class LayerTrials:
    """All forms of a layer.

    Attributes:
        names: of the layers of this geometry, as in a plan.
        geometry: in words.
        trials: the one of a layer that no plan names first: plain, but in phases where a transposed
            layer is asked for bf16.
    """

    names: tuple[str, ...]
    geometry: str
    trials: tuple[Trial, ...]

    @property
    def plain(self) -> Trial:
        """As exported where no plan names it."""
        return self.trials[0]

    def trial(self, form: str) -> Trial:
        """Of a form."""
        return next(trial for trial in self.trials if trial.form == form)

    def contenders(self, floor_db: float) -> tuple[Trial, ...]:
        """Those that ran and are exact enough, the fastest first."""
        fit = [each for each in self.trials if each is self.plain or each.is_exact(floor_db)]
        return tuple(sorted((each for each in fit if each.seconds), key=lambda trial: trial.median))


@dataclass(frozen=True)
class Step:
    """A change to a member's plan, measured on its whole graph beside what was best.

    Attributes:
        member: its name.
        layer: which layer; empty for all at once.
        form: tried; ``winners`` of the layers' trials, and at the end the ``plan``.
        ratio: its time over that of the best so far, median of rounds; of all at once, over that of
            the plain graph.
        kept: whether it was faster.
    """

    member: str
    layer: str
    form: str
    ratio: float
    kept: bool


@dataclass(frozen=True)
class Tuning:
    """A tuner's result.

    Attributes:
        schema: version of this record.
        created: when, UTC.
        tool: name and version.
        machine: what it is for.
        backend: name and options.
        precision: of the arithmetic.
        variants: networks.
        sizes: lengths of axes; the typical ones of others.
        views: how the networks are seen.
        threads: of a CPU runtime.
        floor_db: least SNR of a form that was considered, dB.
        layers: with every trial.
        steps: on whole graphs.
        plan: form by layer.
        results: plain, tuned and PyTorch, interleaved in one run.
        others: what other processes took during the trials.
    """

    schema: int
    created: str
    tool: str
    machine: Machine
    backend: str
    precision: Precision
    variants: tuple[str, ...]
    sizes: Sizes
    views: tuple[View, ...]
    threads: int
    floor_db: float
    layers: tuple[LayerTrials, ...]
    steps: tuple[Step, ...]
    plan: Mapping[str, str]
    results: tuple[Result, ...] = ()
    others: Others | Skipped = NOT_TAKEN


@dataclass(frozen=True)
class Tuned:
    """Everything that a tuner leaves.

    Attributes:
        tuning: what was tried and chosen.
        plan: as in its file.
        files: tuned, with dynamic axes.
        report: plain, tuned and PyTorch, interleaved.
        parities: of each file over all residues of the length.
        interrupted: whether the comparison was.
    """

    tuning: Tuning
    plan: LoweringPlan
    files: tuple[Artifact, ...]
    report: Report
    parities: tuple[ParityReport, ...]
    interrupted: bool

    @property
    def passed(self) -> bool:
        """Whether every file and every row computes what PyTorch does."""
        return all(report.passed for report in self.parities)
