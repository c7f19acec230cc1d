"""What to export: validated once, then only read."""

from dataclasses import dataclass
from math import inf
from typing import Literal

from export.lowering.plan import PLAIN, LoweringPlan
from export.precision.budget import MIN_WRONG_DB
from export.precision.plan import FP32, SMALLEST_OPSET, PrecisionPlan
from export.targets import check_target
from hifigan_ref.errors import HifiError
from hifigan_ref.variant import Variant

OPSETS = range(11, 27)
MOST_BATCH = 2**16
MOST_SAMPLES = 2**28  # more than three hours
DEFAULT_OPSET = 18

Outputs = Literal["all", "scores"]
OUTPUTS: tuple[Outputs, ...] = ("all", "scores")


@dataclass(frozen=True)
class ExportRequest:
    """One graph.

    Attributes:
        variant: network.
        opset: exact version of ONNX's default domain.
        batch: N of each input, or None for a dynamic axis named ``batch``.
        samples: T of each input, or None for a dynamic axis named ``samples``.
        outputs: ``all`` (scores and feature maps) or ``scores``.
        pair: inputs ``y`` and ``y_hat`` in one pass instead of ``y``.
        lowering: forms of its convolutions.
        precision: of its layers.
        min_snr_db: least SNR of the worst output, dB, or None for the precision's own budget.
        target: backend that it is for, in whose runtime it is verified too, or None.

    Raises:
        HifiError: on construction, for a value that is out of range.
    """

    variant: Variant
    opset: int = DEFAULT_OPSET
    batch: int | None = None
    samples: int | None = None
    outputs: Outputs = "all"
    pair: bool = False
    lowering: LoweringPlan = PLAIN
    precision: PrecisionPlan = FP32
    min_snr_db: float | None = None
    target: str | None = None

    def __post_init__(self) -> None:
        shortest = self.variant.min_samples()
        if self.opset not in OPSETS:
            raise HifiError(
                f"opset {self.opset} is out of range: choose {OPSETS.start} to {OPSETS[-1]}"
            )
        if self.batch is not None and self.batch < 1:
            raise HifiError(f"batch {self.batch} is not positive: choose 1 or more")
        if self.samples is not None and self.samples < shortest:
            raise HifiError(
                f"{self.samples} samples are too few for {self.variant}: "
                f"choose {shortest} or more (a reflect pad must be shorter than the signal)"
            )
        if self.batch is not None and self.batch > MOST_BATCH:
            raise HifiError(f"batch {self.batch} is too large: choose {MOST_BATCH} or less")
        if self.samples is not None and self.samples > MOST_SAMPLES:
            raise HifiError(f"{self.samples} samples are too many: choose {MOST_SAMPLES} or less")
        check_target(self.target)
        if self.outputs not in OUTPUTS:
            raise HifiError(f"outputs {self.outputs!r}: choose from {', '.join(OUTPUTS)}")
        for precision in self.precision.used(self.variant):
            smallest = SMALLEST_OPSET[precision]
            if self.opset < smallest:
                raise HifiError(
                    f"opset {self.opset} has no {precision} for these layers: choose "
                    f"{smallest} or more, or another precision"
                )
        if self.min_snr_db is not None and not MIN_WRONG_DB <= self.min_snr_db < inf:
            raise HifiError(
                f"a least SNR of {self.min_snr_db:g} dB: choose {MIN_WRONG_DB:g} or more (below, "
                "a graph is wrong and not merely coarse)"
            )

    @property
    def budget_db(self) -> float:
        """Least SNR of the worst output, dB: as asked, or what the precision promises."""
        own = self.precision.budget_db(self.variant)
        return own if self.min_snr_db is None else self.min_snr_db

    @property
    def inputs(self) -> tuple[str, ...]:
        """Names of the inputs, each (N, 1, T)."""
        return ("y", "y_hat") if self.pair else ("y",)
