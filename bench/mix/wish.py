"""What a search for precisions looks for, and the files of what it finds."""

import random
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property

from bench.backend import lacking
from bench.choice import choose, is_told, target_of
from bench.mixing_record import Trial
from bench.names import shape_name
from bench.suite import check_threads
from bench.tune.trial import Bench
from export.cache import cached_export
from export.lowering.plan import PLAIN, LoweringPlan
from export.precision.budget import GRAPH_PRECISIONS, PRECISIONS, GraphPrecision
from export.precision.forms import merged
from export.precision.material import Forms, suiting
from export.precision.plan import PrecisionPlan
from export.request import ExportRequest
from export.targets import TARGETS
from hifigan_ref.errors import HifiError
from hifigan_ref.network import Sizes
from hifigan_ref.source import Source
from hifigan_ref.variant import Variant, apart


@dataclass(frozen=True)
class Wish:
    """What to search for.

    Attributes:
        backend: its name and options; its precision is that of layers that are not named.
        variants: networks.
        request: opset, views, calibration audio and least SNR of every graph.
        lowerings: rewrites of layers of each precision.
        sizes: lengths of axes; the typical ones of others.
        threads: of a CPU runtime.
        weights: of the networks.

    Raises:
        HifiError: on construction, for a value that is out of range, or a backend that reads no
            precision from a file.
    """

    backend: str
    variants: tuple[Variant, ...]
    request: ExportRequest
    lowerings: Mapping[GraphPrecision, LoweringPlan]
    sizes: Sizes
    threads: int
    weights: Source

    def __post_init__(self) -> None:
        choice = choose(self.backend)
        if not self.lower:
            raise HifiError(
                f"{self.backend} reads no precision from a file of opset {self.request.opset}, and "
                f"so has nothing to mix: choose from {', '.join(TARGETS)}"
            )
        if choice.asked not in choice.precisions.on_runtime:
            told = ", ".join(choice.precisions.on_runtime)
            raise HifiError(f"{self.backend}: layers that keep their precision have one of {told}")
        if is_told(self.backend, "lowering"):
            raise HifiError(f"{self.backend}: leave out lowering, and give --lowering instead")
        missing = lacking(choice.backend)
        if missing is not None:
            raise HifiError(f"{self.backend} cannot run here: {missing}")
        check_threads(self.threads)
        for variant in self.variants:
            self.request_of(variant)

    @property
    def base(self) -> GraphPrecision:
        """Of layers that are not named; TF32 is float32 to a graph."""
        asked = choose(self.backend).asked
        return next((each for each in GRAPH_PRECISIONS if each == asked), "fp32")

    @property
    def lower(self) -> tuple[GraphPrecision, ...]:
        """Precisions that a layer may be given instead, as far as the opset has them."""
        written = choose(self.backend).precisions.written
        return tuple(each for each in written if PRECISIONS[each].opset <= self.request.opset)

    @property
    def min_snr_db(self) -> float:
        """The budget, dB."""
        return self.request.budget_db

    @cached_property
    def plan(self) -> PrecisionPlan:
        """Of which all graphs are made."""
        activations = choose(self.backend).precisions.activations
        return replace(self.request.precision, activations=activations)

    def request_of(self, variant: Variant) -> ExportRequest:
        """Of the plain graph in float32."""
        told = replace(self.request, variant=variant)
        return replace(told, precision=PrecisionPlan(), lowering=PLAIN, min_snr_db=None)

    def sizes_of(self, variant: Variant) -> Sizes:
        """A length for each axis of a network."""
        return {**variant.signature.typical, **self.sizes}

    def request_by(self, variant: Variant, plan: PrecisionPlan) -> ExportRequest:
        """Of the graph by a plan, less what of it is set on the runtime."""
        split = choose(self.backend).precisions.split(plan, plan.used(variant), self.backend)
        lowering = merged(self.lowerings, plan)
        return replace(
            self.request,
            variant=variant,
            precision=split.file,
            lowering=lowering,
            target=target_of(choose(self.backend)),
        )

    def forms_of(self, variant: Variant) -> Forms:
        """How its layers are written; those of the base are in float32 in the file."""
        plans = {**self.lowerings, "fp32": self.lowerings[self.base]}
        found = {each: suiting(plan.forms(variant)) for each, plan in plans.items()}
        return {each: forms[each] for each, forms in found.items()}

    @property
    def members(self) -> tuple[Variant, ...]:
        """Of every network, each once."""
        return apart(self.variants)


def bench_of(wish: Wish) -> Bench:
    """Where files are run."""
    shuffle = random.Random(0)  # noqa: S311 - an order, not a secret
    return Bench(wish.backend, wish.threads, float("inf"), 0.0, shuffle)


def plan_of(wish: Wish, chosen: dict[Variant, Trial]) -> PrecisionPlan:
    """The plan of several members."""
    layers = {
        variant.in_plans(name): precision
        for variant, trial in chosen.items()
        for name, precision in trial.layers.items()
    }
    load = f"{shape_name(wish.sizes)}, {wish.threads} threads"
    origin = f"mixed for {wish.backend}, {wish.min_snr_db:g} dB, {load}"
    return replace(wish.plan, base=wish.base, layers=layers, origin=origin)


def exported(wish: Wish, variant: Variant, plan: PrecisionPlan) -> ExportRequest:
    """Check that a plan's file is exact enough, and keep it; its request.

    Raises:
        NotExactError: it is not.
    """
    request = wish.request_by(variant, plan)
    cached_export(request, wish.weights.identity, wish.weights.build)
    return request
