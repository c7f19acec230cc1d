"""A member's graph in a runtime, with its layers in precisions of choice: error and time."""

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from bench.backend import Session
from bench.cell.turn import turn
from bench.judge import Arrays
from bench.mix.blocks import Assigned
from bench.mixing_record import Measured, Trial, plan_text
from bench.proof import demand
from bench.stopping import LEAST_SAMPLES, median_interval
from bench.timing.measure import no_collection
from bench.tune.trial import ROUNDS, Bench, Racer, race
from export import artifact, scratch
from export.artifact import Artifact
from export.precision.layers import Layers
from export.precision.material import Material, write
from export.precision.noise import power
from export.precision.plan import PrecisionPlan
from export.request import ExportRequest
from hifigan_ref.errors import HifiError, named

Inputs = Mapping[str, NDArray[np.float32]]


@dataclass(frozen=True, eq=False)
class Member:
    """What trials of a member need.

    Attributes:
        bench: where.
        request: with fixed axes.
        file: the plain file.
        material: of its graph.
        plain: every layer, in float32, as the file has those of the base.
        pool: speech that rotates; errors are measured on the first.
        exact: outputs of PyTorch in float64 for the first.
    """

    bench: Bench
    request: ExportRequest
    file: Artifact
    material: Material
    plain: Layers
    pool: Sequence[Inputs]
    exact: Arrays

    def measure(self, plans: Sequence[Assigned], rounds: int = ROUNDS) -> Measured:
        """A race of plans, of which the first is the base.

        Raises:
            Exception: whatever the runtime raises on the first, or it runs something else.
        """
        with (
            turn(),
            scratch.folder() as folder,
            ExitStack() as stack,
            no_collection(),
        ):
            racers: list[Racer[int]] = []
            noises: dict[int, Mapping[str, float]] = {}
            failed: list[str] = []
            for number, plan in enumerate(plans):
                try:
                    file = self.written(plan, folder / str(number))
                    request = replace(self.request, precision=file.manifest.precision)
                    session = self.bench.open(file, self.pool[0], request)
                    stack.callback(session.close)
                    noises[number] = noise(session, self.pool[0], self.exact)
                    demand(*session.proof())
                    racer = Racer(number, session, self.pool, self.bench.clock)
                    racer.round()
                # a runtime fails in types of its own; what it cannot run is not a candidate
                except Exception as error:
                    if not racers:
                        raise
                    failed.append(f"{plan_text(plan)}: {named(error)}")
                    continue
                racers.append(racer)
            race(racers, self.bench.shuffle, rounds, far=np.inf)
        first = racers[0].rounds
        found = []
        for racer in racers:
            pairs = zip(racer.rounds, first, strict=True)
            ratios = [mine / theirs for mine, theirs in pairs]
            high = median_interval(ratios)[1] if rounds >= LEAST_SAMPLES else np.inf
            found.append(Trial(dict(plans[racer.key]), noises[racer.key], median(ratios), high))
        return Measured(tuple(found), median(first), tuple(failed))

    def written(self, plan: Assigned, folder: Path) -> Artifact:
        """The file of a plan."""
        proto = ir.to_proto(write(self.material, {**self.plain, **plan}))
        variant = self.request.variant
        named = {variant.in_plans(name): precision for name, precision in plan.items()}
        told = PrecisionPlan(layers=named, activations=self.material.plan.activations)
        manifest = replace(self.file.manifest, precision=told)
        folder.mkdir()
        content = proto.SerializeToString(deterministic=True)
        return artifact.save(folder / "graph.onnx", manifest, content, durable=False)


def noise(session: Session, inputs: Inputs, exact: Arrays) -> dict[str, float]:
    """Error power over signal power of each output, of one pass.

    Raises:
        HifiError: an output is not there, of another shape, or not finite.
    """
    session.load(inputs)
    session.run()
    session.wait()
    found = session.outputs()
    return {name: _noise(name, array, found.get(name)) for name, array in exact.items()}


def _noise(name: str, exact: NDArray[np.floating], found: NDArray[np.floating] | None) -> float:
    if found is None or found.shape != exact.shape:
        told = "is missing" if found is None else f"has the shape {found.shape}"
        raise HifiError(f"{name} {told}, {exact.shape} was expected")
    if not np.isfinite(found).all():
        raise HifiError(f"{name} is not finite")
    return power(exact, found)
