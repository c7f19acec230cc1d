"""Forms side by side in the real runtime, in rounds at random, by the clock of its device.

Those that are far behind after the first round, or not exact enough, are not timed again, and those
that the machine's peak makes slower than the best so far not at all. What was near is also run at
short widths, where runtimes have been wrong.
"""

import random
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from math import prod
from statistics import median
from time import perf_counter
from typing import Generic, TypeVar

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from bench.backend import Case, Session
from bench.cell.turn import turn
from bench.choice import choose, target_of
from bench.geometry import CONVOLUTION, Geometry
from bench.hole import Skipped
from bench.pool import Inputs
from bench.proof import demand
from bench.records import Workload
from bench.timing.measure import HostClock, Take, Timer, no_collection
from bench.tune.layer_file import LAYER, cost, exact, layer_graph, save
from bench.tune.lessened import lessened
from bench.tune.short import why_wrong
from bench.tuning_record import LayerTrials, Trial
from export import scratch
from export.artifact import Artifact
from export.lowering.rule import Form, form_text
from export.precision.plan import PrecisionPlan
from export.request import DEFAULT_OPSET, ExportRequest
from export.runtimes import on_cpu
from export.verify import snr_db
from hifigan_ref.errors import HifiError, named
from hifigan_ref.network import BATCH, SAMPLES
from hifigan_ref.trained import Trained

ROUNDS = 5
SECONDS = 0.06  # of a round
LEAST_CALLS = 3
FAR = 1.3  # times the best, after the first round
ABOVE_PEAK = 1.25  # a peak may have been measured while the machine was slow
POOL = 3

Key = TypeVar("Key")


@dataclass(frozen=True)
class Bench:
    """Where forms are tried.

    Attributes:
        backend: its name and options.
        threads: of a CPU runtime.
        peak: FLOP/s of the device in the backend's precision; infinite where it is unknown.
        floor_db: least SNR of a form that races, dB.
        shuffle: draws the order within a round.
        clock: seconds, monotonic.
    """

    backend: str
    threads: int
    peak: float
    floor_db: float
    shuffle: random.Random
    clock: HostClock = perf_counter

    @property
    def plan(self) -> PrecisionPlan:
        """What of the backend's precision its files hold."""
        return choose(self.backend).split(()).file

    @property
    def opset(self) -> int:
        """Of its files."""
        return choose(self.backend).split(()).opset(DEFAULT_OPSET)

    def why_wrong_when_short(self, geometry: Geometry, form: Form) -> str | None:
        """Why a form is no candidate whatever it costs; None where it is, or nobody can tell."""
        runtime = on_cpu(target_of(choose(self.backend)))
        return why_wrong(runtime, geometry, form) if runtime else None

    def open(
        self,
        file: Artifact,
        inputs: Mapping[str, NDArray[np.float32]],
        request: ExportRequest | None = None,
    ) -> Session:
        """A session on a file, of a layer where there is no request.

        Raises:
            HifiError: the backend runs no file.
        """
        choice = choose(self.backend)
        if request is None:
            batch, _, samples = next(iter(inputs.values())).shape
            sizes = {BATCH: batch, SAMPLES: samples}
            request = ExportRequest(LAYER, self.opset, sizes, precision=self.plan)
        load = Workload(
            str(request.variant),
            request.sizes,
            request.views,
            choice.precision(request.variant),
            "noise",
            "",
            self.threads,
        )
        case = Case(
            load, request, _no_network, file, inputs, 0, choice.options, choice.split(()).runtime
        )
        return choice.backend.prepare(case)


def try_forms(
    bench: Bench, geometry: Geometry, names: tuple[str, ...], forms: Sequence[Form]
) -> LayerTrials:
    """Every form that applies.

    Args:
        bench: where.
        geometry: of the layer.
        names: of the layers of this geometry.
        forms: the one that no plan has to name first.

    Raises:
        HifiError: not even the first form runs, or what ran is not what was asked for.
    """
    first = forms[0]
    generator = np.random.default_rng(1)
    batch, *item = geometry.shape
    pool = [
        {"y": generator.standard_normal((batch, 1, prod(item)), dtype=np.float32)}
        for _ in range(POOL)
    ]
    reference = exact(geometry, pool[0]["y"])
    best = np.inf
    racers: list[Racer[Form]] = []
    found: dict[Form, Trial] = {}
    plan, opset = bench.plan, bench.opset
    layers = {CONVOLUTION: plan.of(geometry.channels)}
    with turn(), ExitStack() as stack, no_collection():
        for form in forms:
            try:
                model = layer_graph(geometry, form, opset)
            except HifiError:
                continue  # it does not apply
            flops, size = cost(model)
            trial = Trial(form_text(form), flops, size, (), Skipped(""))
            if flops / (ABOVE_PEAK * bench.peak) > best:
                reason = Skipped("not timed: at the machine's peak it would be slower than others")
                found[form] = replace(trial, snr_db=reason)
                continue
            try:
                lesser = lessened(model, layers, plan)
                session = stack.enter_context(_opened(bench, lesser, pool[0], keep=form == first))
                ratio = _ratio(session, reference)
                if form == first:
                    demand(*session.proof())
                racer = Racer(form, session, pool, bench.clock)
                racer.round()
            # a runtime fails in types of its own; whatever it says becomes the reason
            except Exception as error:
                if form == first:
                    raise
                found[form] = replace(trial, snr_db=Skipped(named(error)))
                continue
            found[form] = replace(trial, snr_db=ratio, seconds=tuple(racer.rounds))
            if form == first or ratio >= bench.floor_db:
                racers.append(racer)
                best = min(best, racer.rounds[0])
        race(racers, bench.shuffle)
    for racer in racers:
        form, near = racer.key, len(racer.rounds) == ROUNDS
        found[form] = replace(found[form], seconds=tuple(racer.rounds))
        wrong = bench.why_wrong_when_short(geometry, form) if form != first and near else None
        if wrong:
            found[form] = replace(found[form], seconds=(), snr_db=Skipped(wrong))
    return LayerTrials(names, str(geometry), tuple(found.values()))


def _ratio(session: Session, reference: NDArray[np.float64]) -> float:
    """SNR of one pass on the first input, dB."""
    session.run()
    session.wait()
    (output,) = session.outputs().values()
    return snr_db(reference, output) if output.shape == reference.shape else -np.inf


class Racer(Generic[Key]):
    """A session that is timed in rounds, by the clock of its device.

    Args:
        key: whose.
        session: that has run.
        pool: inputs that rotate.
        clock: seconds, monotonic.
    """

    def __init__(
        self, key: Key, session: Session, pool: Sequence[Inputs], clock: HostClock = perf_counter
    ) -> None:
        self.key = key
        timer = Timer(session, pool, clock)
        self._take: Take = timer.call if session.stream is None else timer.device
        self._clock = clock
        self.rounds: list[float] = []

    def round(self) -> None:
        """The median of a round's calls; the first call finds caches cold and does not count."""
        self._take()
        taken: list[float] = []
        start = self._clock()
        while len(taken) < LEAST_CALLS or self._clock() - start < SECONDS:
            taken.append(self._take())
        self.rounds.append(median(taken))


def race(
    racers: Sequence[Racer[Key]], shuffle: random.Random, rounds: int = ROUNDS, far: float = FAR
) -> None:
    """More rounds for the first one and those near the best, in random order."""
    best = min(racer.rounds[0] for racer in racers)
    near = [racer for racer in racers if racer is racers[0] or racer.rounds[0] <= far * best]
    for _ in range(rounds - 1):
        shuffle.shuffle(near)
        for racer in near:
            racer.round()


@contextmanager
def _opened(
    bench: Bench, model: "ir.Model", inputs: Mapping[str, NDArray[np.float32]], keep: bool
) -> Iterator[Session]:
    """A session; its file is there as long as it is if it is asked what it runs."""
    folder = scratch.make()
    try:
        session = bench.open(save(model, folder), inputs)
        try:
            if not keep:
                scratch.remove(folder)
            yield session
        finally:
            session.close()
    finally:
        scratch.remove(folder)


def _no_network() -> Trained:
    raise HifiError("a layer has no network: tune a backend that runs the file")
