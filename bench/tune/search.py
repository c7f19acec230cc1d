"""The plan of every network: trials of its layers, then its whole members."""

import random
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from bench.backend import LOWERING, find, lacking
from bench.bar import Doing
from bench.choice import choose, is_told
from bench.geometry import Geometry, geometries
from bench.hardware import Machine
from bench.machine.roofline import measure_ceilings, measure_gpu_ceilings
from bench.precisions import PRECISION, precisions_of
from bench.records import GpuState, Precision
from bench.suite import check_threads
from bench.tune import kept
from bench.tune.forms import forms_of
from bench.tune.kept import IMPROVED, TRIALS, Kept
from bench.tune.trial import Bench, try_forms
from bench.tune.whole import RULE, Whole, improve
from bench.tuning_record import LayerTrials, Step
from export.cache import cached_export
from export.lowering.rule import moving
from export.lowering.unplanned import unplanned
from export.precision.budget import PRECISIONS
from export.precision.plan import PrecisionPlan
from export.request import DEFAULT_OPSET, ExportRequest
from hifigan_ref.errors import HifiError
from hifigan_ref.input_files import Files, check_files
from hifigan_ref.network import Sizes
from hifigan_ref.source import Source
from hifigan_ref.variant import Variant, apart
from hifigan_ref.views import View

OF_PRODUCTS = ("ort-cuda",)  # where cuDNN takes groups apart; CPUs do not
MARGIN_DB = 8.0  # what seven layers in a row may add to the error of one


@dataclass(frozen=True)
class Wish:
    """What to tune.

    Attributes:
        backend: its name and options.
        variants: networks.
        sizes: lengths of axes; the typical ones of others.
        views: how the networks are seen.
        threads: of a CPU runtime.
        weights: of the networks.
        again: measure what was measured before.
        inputs: values of some inputs, out of files, for the proof; forms are tried on noise.

    Raises:
        HifiError: on construction, for a value that is out of range, or a backend that cannot be
            tuned.
    """

    backend: str
    variants: tuple[Variant, ...]
    sizes: Sizes
    views: tuple[View, ...]
    threads: int
    weights: Source
    again: bool = False
    inputs: Files = field(default_factory=dict)

    def __post_init__(self) -> None:
        backend, options = find(self.backend)
        if LOWERING.name not in options:
            raise HifiError(f"{self.backend} runs no exported file: tune one that does")
        if is_told(self.backend, LOWERING.name):
            raise HifiError(f"{self.backend}: leave out lowering, which is what is looked for")
        inside = precisions_of(backend)
        if options.get(PRECISION, inside.allowed[0]) not in inside.allowed:
            raise HifiError(
                f"{self.backend}: forms are tried in one precision for all layers: choose from "
                f"{', '.join(inside.allowed)}"
            )
        missing = lacking(backend)
        if missing is not None:
            raise HifiError(f"{self.backend} cannot run here: {missing}")
        check_threads(self.threads)
        for variant in self.variants:
            check_files(self.inputs, self.request(variant).signature.inputs)

    @property
    def precision(self) -> Precision:
        """Of the arithmetic."""
        asked = choose(self.backend).asked
        assert not isinstance(asked, PrecisionPlan), "refused above"
        return asked

    @property
    def floor_db(self) -> float:
        """Least SNR of a form of one layer, dB."""
        return PRECISIONS[self.precision].budget_db + MARGIN_DB

    def request(self, variant: Variant) -> ExportRequest:
        """Of a plain graph with fixed axes, in float32."""
        split = choose(self.backend).split(())
        sizes = {**variant.signature.typical, **self.sizes}
        return ExportRequest(variant, split.opset(DEFAULT_OPSET), sizes, self.views)

    @property
    def members(self) -> tuple[Variant, ...]:
        """Of every network, each once."""
        return apart(self.variants)


Progress = Doing | LayerTrials | Step | dict[str, str]


def search(wish: Wish, machine: Machine) -> Iterator[Progress]:
    """Trials and steps as they come, and the plan at the end.

    Raises:
        HifiError: the weights or the export are refused, or the backend does not run them.
    """
    import onnx_ir as ir

    shuffle = random.Random(0)  # noqa: S311 - an order, not a secret
    bench = Bench(wish.backend, wish.threads, _peak(wish, machine), wish.floor_db, shuffle)
    keeper = Kept(machine, wish.backend, wish.threads)
    members = wish.members
    yield Doing("export", 0, 1)
    files = {
        member: cached_export(wish.request(member), wish.weights.identity, wish.weights.build)
        for member in members
    }
    models = {member: ir.load(file.path) for member, file in files.items()}
    found = {member: geometries(models[member], wish.request(member)) for member in members}
    names: dict[Geometry, list[str]] = {}
    for layers in found.values():
        for name, geometry in layers.items():
            names.setdefault(geometry, []).append(name)
    total = len(names) + len(members)
    trials: dict[Geometry, LayerTrials] = {}
    for number, (geometry, same) in enumerate(names.items()):
        yield Doing(f"{same[0]}: {geometry}", number, total)
        trials[geometry] = _trials(bench, keeper, geometry, tuple(same), wish.again)
        yield trials[geometry]
    plan: dict[str, str] = {}
    for number, member in enumerate(members):
        yield Doing(f"{member}: the whole graph", len(names) + number, total)
        request = replace(wish.request(member), precision=bench.plan)
        whole = Whole(bench, request, models[member], files[member])
        layers_of = {name: trials[geometry] for name, geometry in found[member].items()}
        for step in _improved(whole, keeper, str(member), layers_of, wish):
            if isinstance(step, dict):
                plan |= step
            else:
                yield step
    yield plan


def _peak(wish: Wish, machine: Machine) -> float:
    """FLOP/s in the backend's precision; infinite where nobody measured it."""
    on_gpu = isinstance(machine.gpu, GpuState)
    ceilings = measure_gpu_ceilings() if on_gpu else measure_ceilings(wish.threads)
    peaks = [each.gflop_per_second for each in ceilings if each.precision == wish.precision]
    return max(peaks) * 1e9 if peaks else float("inf")


def _trials(
    bench: Bench, keeper: Kept, geometry: Geometry, names: tuple[str, ...], again: bool
) -> LayerTrials:
    exact = bench.plan.of(geometry.channels) == "fp32"
    wide = forms_of(geometry, choose(bench.backend).backend.name in OF_PRODUCTS)
    first = unplanned(geometry.convolution(), geometry.shape, _precision(bench, geometry))
    fit = [form for form in wide if exact or moving(form) == form]
    forms = [first, *(form for form in fit if form != first)]
    path = keeper.trials(geometry, forms)
    known = None if again else kept.read(path, TRIALS)
    if known is not None:
        return replace(known, names=names)
    found = try_forms(bench, geometry, names, forms)
    kept.write(path, found)
    return found


def _precision(bench: Bench, geometry: Geometry) -> Precision:
    """Of a layer: what its file says, and else what the runtime is asked for."""
    split = choose(bench.backend).split(())
    inside = split.file.of(geometry.channels)
    return split.runtime if inside == "fp32" else inside


def _improved(
    whole: Whole, keeper: Kept, member: str, trials: dict[str, LayerTrials], wish: Wish
) -> Iterator[Step | dict[str, str]]:
    fields = {name: each.contenders(wish.floor_db) for name, each in trials.items()}
    path = keeper.improved(RULE, member, wish.sizes, wish.views, fields)
    known = None if wish.again else kept.read(path, IMPROVED)
    if known is not None:
        yield from known[0]
        yield dict(known[1])
        return
    steps: list[Step] = []
    for step in improve(whole, member, trials, wish.floor_db):
        if isinstance(step, Step):
            steps.append(step)
        else:
            kept.write(path, (tuple(steps), step))
        yield step
