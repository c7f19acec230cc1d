"""What to export: validated once, then only read."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from math import inf

from export.lowering.plan import PLAIN, LoweringPlan
from export.precision.budget import MIN_WRONG_DB, PRECISIONS
from export.precision.plan import FP32, PrecisionPlan
from export.targets import check_target
from hifigan_ref.errors import HifiError
from hifigan_ref.network import BATCH, Signature, Sizes
from hifigan_ref.variant import Variant
from hifigan_ref.views import SCORES, View, seen

OPSETS = range(11, 27)
LONGEST = 2**28  # elements of an axis: more than three hours of audio
DEFAULT_OPSET = 18


@dataclass(frozen=True)
class ExportRequest:
    """One graph.

    Attributes:
        variant: network.
        opset: exact version of ONNX's default domain.
        sizes: lengths of axes that are fixed; the others are dynamic.
        views: how the network is seen: its scores alone, a pair of inputs in one pass.
        lowering: forms of its convolutions.
        precision: of its layers.
        min_snr_db: least SNR of the worst output, dB, or None for the precision's own budget.
        target: backend that it is for, in whose runtime it is verified too, or None.

    Raises:
        HifiError: on construction, for a value that is out of range.
    """

    variant: Variant
    opset: int = DEFAULT_OPSET
    sizes: Sizes = field(default_factory=dict)
    views: tuple[View, ...] = ()
    lowering: LoweringPlan = PLAIN
    precision: PrecisionPlan = FP32
    min_snr_db: float | None = None
    target: str | None = None

    def __post_init__(self) -> None:
        if self.opset not in OPSETS:
            raise HifiError(
                f"opset {self.opset} is out of range: choose {OPSETS.start} to {OPSETS[-1]}"
            )
        check_sizes(self.variant, self.sizes)
        check_target(self.target)
        self.signature  # noqa: B018 - refuses a view that the network has not
        for precision in self.precision.used(self.variant):
            smallest = PRECISIONS[precision].opset
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

    def __hash__(self) -> int:
        return hash((*sorted(self.sizes.items()), *self._settled))

    @property
    def _settled(self) -> tuple[object, ...]:
        return (self.variant, self.opset, self.views, self.lowering, self.precision, self.target)

    @property
    def signature(self) -> Signature:
        """What the graph takes and gives."""
        return seen(self.variant.signature, self.views, str(self.variant))

    @property
    def inputs(self) -> tuple[str, ...]:
        """Names of the inputs."""
        return tuple(port.name for port in self.signature.inputs)

    @property
    def pair(self) -> bool:
        """Whether two batches of inputs enter as one."""
        return "pair" in self.views

    def sized(self, sizes: Sizes) -> Sizes:
        """A length for each axis: as fixed, else one of these, else the typical one."""
        return {**self.signature.typical, **sizes, **self.sizes}


def check_sizes(variant: Variant, sizes: Sizes) -> None:
    """Raises HifiError for an axis that a network has not, or a length that it cannot take."""
    axes = variant.signature.axes
    for name, length in sizes.items():
        if name not in axes:
            raise HifiError(f"{variant} has no axis {name!r}: choose from {', '.join(axes)}")
        smallest = axes[name].smallest
        if not smallest <= length <= LONGEST:
            few = "small" if length < smallest else "large"
            raise HifiError(
                f"{name} {length} is too {few} for {variant}: choose {smallest} to {LONGEST}"
            )


def sizes_at(variant: Variant, sizes: Sizes, batch: int) -> Sizes:
    """A length for each axis of a network: as told, else the typical one.

    Args:
        variant: the network.
        sizes: lengths of some axes.
        batch: items of each input; one item is all that a network without a batch takes.
    """
    known = {**variant.signature.typical, **sizes}
    return {**known, BATCH: batch} if BATCH in known or batch != 1 else known


def views_of(outputs: str, pair: bool) -> tuple[View, ...]:
    """The views that ``--outputs`` and ``--pair`` name."""
    wanted: Iterable[tuple[View, bool]] = ((SCORES, outputs == SCORES), ("pair", pair))
    return tuple(view for view, asked in wanted if asked)
