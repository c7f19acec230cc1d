"""From a wish to a plan, tuned files, and the proof of both, in one folder."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from bench.backend import LOWERING, with_option
from bench.bar import Doing
from bench.choice import choose, target_of
from bench.machine.busy import Meter
from bench.machine.survey import this_machine
from bench.names import outputs_name, shape_name
from bench.parity import run as parity_run
from bench.parity.report import ParityReport
from bench.run import Finished, run
from bench.stopping import Limits
from bench.suite import Plan
from bench.tune.search import Progress, Wish, search
from bench.tuning_record import PEER, SCHEMA, LayerTrials, Step, Tuned, Tuning
from export import atomic
from export.artifact import Artifact
from export.cache import exported_at
from export.lowering.plan import LoweringPlan, write_plan
from hifigan_ref import audio
from hifigan_ref.examples import source_of
from hifigan_ref.network import BATCH
from hifigan_ref.variant import Variant
from hifigan_ref.version import VERSION

PLAN = "plan.json"

Watch = Callable[[Iterator[Progress]], Iterator[Progress]]


def look(wish: Wish, watch: Watch) -> Tuning:
    """Trials, steps and a plan, without what comes after.

    Raises:
        HifiError: as ``search``.
        KeyboardInterrupt: what was measured is kept.
    """
    machine = this_machine()
    layers: list[LayerTrials] = []
    steps: list[Step] = []
    plan: dict[str, str] = {}
    meter = Meter(wish.threads)
    with meter.running():
        for each in watch(search(wish, machine)):
            if isinstance(each, LayerTrials):
                layers.append(each)
            elif isinstance(each, Step):
                steps.append(each)
            elif not isinstance(each, Doing):
                plan = each
    return Tuning(
        schema=SCHEMA,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        tool=f"hifi-export {VERSION}",
        machine=machine,
        backend=wish.backend,
        precision=wish.precision,
        variants=tuple(map(str, wish.variants)),
        sizes=wish.sizes,
        views=wish.views,
        threads=wish.threads,
        floor_db=wish.floor_db,
        layers=tuple(layers),
        steps=tuple(steps),
        plan=plan,
        others=meter.found(),
    )


def prove(wish: Wish, tuning: Tuning, out: Path, limit: float) -> Tuned:
    """Write the plan and the tuned files, time them beside plain and PyTorch, and check them.

    Raises:
        HifiError: the folder cannot be written, or a file is refused.
    """
    workload = f"{shape_name(wish.sizes)}, outputs {outputs_name(wish.views)}"
    origin = f"tuned for {wish.backend}, {workload}, {wish.threads} threads, {tuning.machine.cpu}"
    plan = LoweringPlan(origin, tuning.plan)
    choice = choose(wish.backend)
    place = out / PLAN
    atomic.write_all({place: write_plan(plan).encode()})
    files = tuple(
        exported_at(
            out / f"{variant}.onnx",
            replace(
                wish.request(variant),
                sizes={},
                lowering=plan,
                precision=choice.split(()).file,
                target=target_of(choice),
            ),
            wish.weights.identity,
            wish.weights.build,
        )
        for variant in wish.variants
    )
    finished = _compare(wish, plan, out, limit)
    order = parity_run.Order(wish.weights, audio.speech(), inputs=wish.inputs)
    parities = (
        ()
        if finished.interrupted
        else tuple(report for file in files for report in _proved(out, file, order))
    )
    return Tuned(
        replace(tuning, results=finished.report.results),
        plan,
        files,
        finished.report,
        parities,
        finished.interrupted,
    )


def tuned_backend(backend: str, place: Path) -> str:
    """The backend that runs a plan."""
    return with_option(backend, LOWERING.name, place)


def _compare(wish: Wish, found: LoweringPlan, out: Path, limit: float) -> Finished:
    """All three in turn: those beside an earlier plan were measured at another time."""
    plan = Plan(
        backends=(PEER, wish.backend, tuned_backend(wish.backend, out / PLAN)),
        variants=wish.variants,
        batches=(wish.sizes.get(BATCH, 1),),
        sizes=wish.sizes,
        views=wish.views,
        threads=wish.threads,
        recording=audio.speech(),
        limits=Limits.up_to(limit),
        inputs=wish.inputs,
    )
    return run([plan], [wish.weights], out, resume=not wish.again, beside=found)


def _proved(out: Path, file: Artifact, order: parity_run.Order) -> tuple[ParityReport, ...]:
    """The reports of this very file on these inputs, made once: one for each runtime."""
    from bench import record_json

    variant = Variant.parse(file.manifest.variant)
    place = out / f"{variant}.parity.json"
    heard = source_of(variant.signature.inputs, order.recording, order.inputs)
    known: tuple[ParityReport, ...]
    try:
        known = record_json.parities_of(place.read_bytes())
    except (OSError, ValueError):
        known = ()
    if known and all((each.sha256, each.source) == (file.sha256, heard) for each in known):
        return known
    made = parity_run.in_each_runtime(file.path, order)
    atomic.write_all({place: record_json.dump(made)})
    return made
