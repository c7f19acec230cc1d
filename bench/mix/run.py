"""From a wish to a plan and files in one folder."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from bench import judge, pool
from bench.machine.busy import Meter
from bench.machine.survey import this_machine
from bench.mix.member import noise
from bench.mix.search import Progress, search
from bench.mix.wish import Wish, bench_of, exported, plan_of
from bench.mixing_record import SCHEMA, MemberTrials, Mixing, Promise
from bench.proof import demand
from export import atomic
from export.artifact import Artifact
from export.cache import exported_at
from export.precision.plan import PrecisionPlan, write_plan
from export.sums import short_of
from hifigan_ref import audio
from hifigan_ref.errors import HifiError
from hifigan_ref.variant import Variant
from hifigan_ref.version import VERSION

PLAN = "precision.json"

Watch = Callable[[Iterator[Progress]], Iterator[Progress]]


@dataclass(frozen=True)
class Mixed:
    """Everything that a search leaves.

    Attributes:
        mixing: what was tried and chosen.
        plan: as in its file.
        files: exported by it.
    """

    mixing: Mixing
    plan: PrecisionPlan
    files: tuple[Artifact, ...]


def mix(wish: Wish, paths: dict[Variant, Path], folder: Path, watch: Watch) -> Mixed:
    """Search, write the plan, and export every network by it.

    Args:
        wish: what to search for.
        paths: where each network's file goes.
        folder: where the plan goes.
        watch: sees every step.

    Raises:
        HifiError: as ``search``, or a file is refused.
        KeyboardInterrupt: what was measured is kept.
    """
    machine = this_machine()
    meter = Meter(wish.threads)
    with meter.running():
        members = [each for each in watch(search(wish, machine)) if isinstance(each, MemberTrials)]
    chosen = {Variant.parse(each.member): each.choice for each in members}
    plan = plan_of(wish, chosen)
    atomic.write_all({folder / PLAN: write_plan(plan).encode()})
    files = {
        variant: exported_at(
            path, exported(wish, variant, plan), wish.weights.identity, wish.weights.build
        )
        for variant, path in paths.items()
    }
    mixing = Mixing(
        schema=SCHEMA,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        tool=f"hifi-export {VERSION}",
        machine=machine,
        backend=wish.backend,
        base=wish.base,
        min_snr_db=wish.min_snr_db,
        sizes=wish.sizes,
        views=wish.request.views,
        threads=wish.threads,
        source=audio.speech().source,
        weights=wish.weights.origin,
        calibration=str(wish.plan.calibration),
        members=tuple(members),
        promises=tuple(_promise(wish, *pair) for pair in files.items()),
        others=meter.found(),
    )
    return Mixed(mixing, plan, tuple(files.values()))


def _promise(wish: Wish, variant: Variant, file: Artifact) -> Promise:
    """Raises HifiError where the file is less exact in the runtime than was asked for."""
    request = replace(
        wish.request_of(variant),
        sizes=wish.sizes_of(variant),
        precision=file.manifest.precision,
    )
    inputs = pool.draw(audio.speech(), request.signature, request.sizes)[0]
    exact = judge.reference(wish.weights.build(variant), request, inputs).exact
    session = bench_of(wish).open(file, inputs, request)
    try:
        found = Promise(str(variant), file.sha256, noise(session, inputs, exact))
        demand(*session.proof())
    finally:
        session.close()
    if found.snr_db < wish.min_snr_db:
        reached = short_of(found.snr_db, wish.min_snr_db)
        raise HifiError(
            f"{file.path} reaches {reached} dB in {wish.backend}, {wish.min_snr_db:g} is "
            "asked for, though each member alone did: ask for less with --min-snr"
        )
    return found
