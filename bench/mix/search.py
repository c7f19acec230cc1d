"""The precision of every layer: the fastest that the error allows, measured on whole members.

1. Each layer that may lose precision, alone, in every precision that the backend reads from a file;
   and all of them together.
2. Combinations that are predicted to be fastest within the budget, and some on the way from one end
   to the other.
3. Of what was measured, the fastest within the budget that exports.
"""

import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property

from bench import pool
from bench.bar import Doing
from bench.choice import choose, is_told
from bench.machine.hardware import Machine
from bench.mix.member import Member
from bench.mix.predict import Assigned, worth_trying
from bench.mix.records import Measured, MemberTrials, Trial
from bench.parity import judge
from bench.suite import check_threads
from bench.tune import kept
from bench.tune.kept import MIXED, Kept
from bench.tune.trial import Bench
from export.cache import cached_export
from export.lowering.plan import PLAIN, LoweringPlan, layer_name
from export.precision.budget import GRAPH_PRECISIONS, GraphPrecision
from export.precision.forms import merged
from export.precision.layers import resolve
from export.precision.material import Forms, prepare, suiting
from export.precision.plan import SMALLEST_OPSET, PrecisionPlan
from export.request import ExportRequest
from export.verify import NotExactError
from hifigan_ref import audio
from hifigan_ref.errors import HifiError
from hifigan_ref.source import Source
from hifigan_ref.variant import Variant, apart


@dataclass(frozen=True)
class Wish:
    """What to search for.

    Attributes:
        backend: its name and options; its precision is that of layers that are not named.
        variants: networks.
        request: opset, outputs, pair, calibration audio and least SNR of every graph.
        lowerings: rewrites of layers of each precision.
        batch: N.
        samples: T.
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
    batch: int
    samples: int
    threads: int
    weights: Source

    def __post_init__(self) -> None:
        choice = choose(self.backend)
        if not self.lower:
            raise HifiError(
                f"{self.backend} reads no precision from a file of opset {self.request.opset}, and "
                "so has nothing to mix"
            )
        if choice.asked not in choice.precisions.on_runtime:
            told = ", ".join(choice.precisions.on_runtime)
            raise HifiError(f"{self.backend}: layers that keep their precision have one of {told}")
        if is_told(self.backend, "lowering"):
            raise HifiError(f"{self.backend}: leave out lowering, and give --lowering instead")
        missing = choice.backend.missing()
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
        return tuple(each for each in written if SMALLEST_OPSET[each] <= self.request.opset)

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

    def request_by(self, variant: Variant, plan: PrecisionPlan) -> ExportRequest:
        """Of the graph by a plan, less what of it is set on the runtime."""
        split = choose(self.backend).precisions.split(plan, plan.used(variant), self.backend)
        lowering = merged(self.lowerings, plan)
        return replace(self.request, variant=variant, precision=split.file, lowering=lowering)

    def forms_of(self, variant: Variant) -> Forms:
        """How its layers are written; those of the base are in float32 in the file."""
        plans = {**self.lowerings, "fp32": self.lowerings[self.base]}
        found = {each: suiting(plan.forms(variant)) for each, plan in plans.items()}
        return {each: forms[each] for each, forms in found.items()}

    @property
    def members(self) -> tuple[Variant, ...]:
        """Of every network, each once."""
        return apart(self.variants)


Progress = Doing | MemberTrials


def search(wish: Wish, machine: Machine) -> Iterator[Progress]:
    """Every member's trials, with the choice made.

    Raises:
        HifiError: the export is refused, or no plan is exact enough.
    """
    bench = bench_of(wish)
    keeper = Kept(machine, wish.backend, wish.threads)
    for number, variant in enumerate(wish.members):
        yield Doing(f"{variant}: each layer alone", 2 * number, 2 * len(wish.members))
        place = keeper.improved(
            "mixed", str(variant), wish.weights.identity, wish.batch, wish.samples,
            replace(wish.request, variant=variant), wish.plan, wish.lowerings,
        )  # fmt: skip
        known = kept.read(place, MIXED)
        if known is None:
            found = _alone(bench, wish, variant)
            yield Doing(f"{variant}: combinations", 2 * number + 1, 2 * len(wish.members))
            known = _combined(found, wish, str(variant))
            kept.write(place, known)
        yield _chosen(known, wish, variant)


def bench_of(wish: Wish) -> Bench:
    """Where files are run."""
    shuffle = random.Random(0)  # noqa: S311 - an order, not a secret
    return Bench(wish.backend, wish.threads, float("inf"), 0.0, shuffle)


@dataclass(frozen=True, eq=False)
class _Alone:
    """What the first step found.

    Attributes:
        member: to measure more.
        layers: that may lose precision.
        found: of the base, each layer alone, and all together.
    """

    member: Member
    layers: tuple[str, ...]
    found: Measured


def _alone(bench: Bench, wish: Wish, variant: Variant) -> _Alone:
    import onnx_ir as ir

    request = wish.request_of(variant)
    plain = cached_export(request, wish.weights.identity, wish.weights.build)
    model = ir.load(plain.path)
    lowest: GraphPrecision = "int8" if "int8" in wish.lower else wish.lower[-1]
    least = resolve(model, replace(wish.plan, base=lowest, layers={}), variant)
    layers = tuple(name for name, precision in least.items() if precision != "fp32")
    inputs = pool.draw(audio.speech(), request.inputs, wish.batch, wish.samples)
    exact = judge.reference(wish.weights.build(variant), request, inputs[0]).exact
    material = prepare(model, least, wish.plan, wish.forms_of(variant))
    fixed = replace(request, batch=wish.batch, samples=wish.samples)
    member = Member(bench, fixed, plain, material, dict.fromkeys(least, "fp32"), inputs, exact)
    single: list[Assigned] = [{name: each} for name in layers for each in wish.lower]
    whole: list[Assigned] = [dict.fromkeys(layers, each) for each in wish.lower]
    found = member.measure([{}, *single, *whole])
    if len(found.trials) == 1:
        told = " and ".join(wish.lower)
        raise HifiError(f"{wish.backend} runs no layer of {variant} in {told}: {found.failed[0]}")
    return _Alone(member, layers, found)


def _combined(found: _Alone, wish: Wish, name: str) -> MemberTrials:
    first = found.found
    plans = worth_trying(found.layers, first.trials, wish.min_snr_db)
    if not plans:
        return MemberTrials(name, first.seconds, first.trials, first.failed)
    more = found.member.measure([{}, *plans])
    trials = (*first.trials, *more.trials[1:])
    return MemberTrials(name, first.seconds, trials, (*first.failed, *more.failed))


def _chosen(known: MemberTrials, wish: Wish, variant: Variant) -> MemberTrials:
    """The fastest within the budget that exports."""
    order = sorted(range(len(known.trials)), key=lambda each: known.trials[each].ratio)
    for number in order:
        trial = known.trials[number]
        if trial.snr_db < wish.min_snr_db:
            continue
        try:
            exported(wish, variant, plan_of(wish, {variant: trial}))
        except NotExactError:
            continue
        return replace(known, chosen=number)
    best = max(trial.snr_db for trial in known.trials)
    raise HifiError(
        f"no plan of {variant} reaches {wish.min_snr_db:g} dB on {wish.backend}: the best "
        f"reachable is {best:.1f} dB: ask for less with --min-snr"
    )


def plan_of(wish: Wish, chosen: dict[Variant, Trial]) -> PrecisionPlan:
    """The plan of several members."""
    layers = {
        layer_name(variant, name): precision
        for variant, trial in chosen.items()
        for name, precision in trial.layers.items()
    }
    load = f"{wish.batch} x {wish.samples}, {wish.threads} threads"
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
