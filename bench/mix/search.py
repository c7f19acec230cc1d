"""The precision of every layer: the fastest that the error allows, measured on whole members.

1. Each layer that may lose precision, or block of them where they are many, alone, in every
   precision that the backend reads from a file; and all of them together.
2. Combinations that are predicted to be fastest within the budget, and some on the way from one end
   to the other.
3. Of what was measured, the fastest that keep the budget on other speech too and export race once
   more beside the base: of many that were tried some were only lucky.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import islice

from bench import judge, pool
from bench.bar import Doing
from bench.hardware import Machine
from bench.mix.blocks import Assigned, Block, blocks_of
from bench.mix.elsewhere import Elsewhere
from bench.mix.member import Member
from bench.mix.predict import worth_trying
from bench.mix.wish import Wish, bench_of, exported, plan_of
from bench.mixing_record import Measured, MemberTrials, Trial
from bench.tune import kept
from bench.tune.kept import MIXED, Kept
from bench.tune.trial import Bench
from bench.tune.whole import SURE_ROUNDS
from export.cache import cached_export
from export.opened import WrongInRuntimeError
from export.precision.budget import GraphPrecision, NotExactError
from export.precision.layers import resolve
from export.precision.material import prepare
from export.sums import short_of
from hifigan_ref import audio
from hifigan_ref.errors import HifiError
from hifigan_ref.variant import Variant

STEPS = ("each layer alone", "combinations", "the fastest again")
FINALISTS = 3


Progress = Doing | MemberTrials


def search(wish: Wish, machine: Machine) -> Iterator[Progress]:
    """Every member's trials, with the choice made.

    Raises:
        HifiError: the export is refused, or no plan is exact enough.
    """
    bench = bench_of(wish)
    keeper = Kept(machine, wish.backend, wish.threads)
    steps = len(STEPS) * len(wish.members)
    for number, variant in enumerate(wish.members):
        place = keeper.improved(
            "mixed", str(variant), wish.weights.identity, wish.sizes,
            replace(wish.request, variant=variant), wish.plan, wish.lowerings,
        )  # fmt: skip
        known = kept.read(place, MIXED)
        if known is None:
            told = (
                Doing(f"{variant}: {step}", len(STEPS) * number + done, steps)
                for done, step in enumerate(STEPS)
            )
            yield next(told)
            found = _alone(bench, wish, variant)
            yield next(told)
            trials, failed = _combined(found, wish)
            yield next(told)
            known = _surest(found, wish, trials, failed)
            kept.write(place, known)
        if known.choice.sure_db < wish.min_snr_db:
            best = max(trial.sure_db for trial in known.trials)
            raise HifiError(
                f"no plan of {variant} reaches {wish.min_snr_db:g} dB on {wish.backend}: the best "
                f"reachable is {short_of(best, wish.min_snr_db)} dB: ask for less with --min-snr"
            )
        yield known


@dataclass(frozen=True, eq=False)
class _Alone:
    """What the first step found.

    Attributes:
        variant: which member.
        member: to measure more.
        elsewhere: how exact it is on other speech.
        blocks: of layers that may lose precision.
        found: of the base, each block alone, and all together.
    """

    variant: Variant
    member: Member
    elsewhere: Elsewhere
    blocks: tuple[Block, ...]
    found: Measured


def _alone(bench: Bench, wish: Wish, variant: Variant) -> _Alone:
    import onnx_ir as ir

    request = wish.request_of(variant)
    plain = cached_export(request, wish.weights.identity, wish.weights.build)
    model = ir.load(plain.path)
    lowest: GraphPrecision = "int8" if "int8" in wish.lower else wish.lower[-1]
    least = resolve(model, replace(wish.plan, base=lowest, layers={}), variant)
    layers = tuple(name for name, precision in least.items() if precision != "fp32")
    blocks = blocks_of(layers, len(wish.lower))
    sizes = wish.sizes_of(variant)
    inputs = pool.draw(audio.speech(), request.signature, sizes)
    exact = judge.reference(wish.weights.build(variant), request, inputs[0]).exact
    material = prepare(model, least, wish.plan, wish.forms_of(variant))
    fixed = replace(request, sizes=sizes)
    member = Member(bench, fixed, plain, material, dict.fromkeys(least, "fp32"), inputs, exact)
    single = [(block, each) for block in blocks for each in wish.lower]
    plans: list[Assigned] = [dict.fromkeys(*each) for each in single]
    plans += [dict.fromkeys(layers, each) for each in wish.lower]
    found = member.measure([{}, *plans])
    if len(found.trials) == 1:
        told = " and ".join(wish.lower)
        raise HifiError(f"{wish.backend} runs no layer of {variant} in {told}: {found.failed[0]}")
    elsewhere = Elsewhere(material, dict.fromkeys(least, wish.base), single)
    return _Alone(variant, member, elsewhere, blocks, found)


def _combined(found: _Alone, wish: Wish) -> tuple[list[Trial], tuple[str, ...]]:
    """Everything that was tried, and what did not run."""
    first = found.found
    powers = found.elsewhere.powers
    plans = worth_trying(found.blocks, first.trials, wish.min_snr_db, powers)
    more = found.member.measure([{}, *plans]) if plans else Measured((), first.seconds)
    trials = (*first.trials, *more.trials[1:])
    predicted = found.elsewhere.predicted_db
    judged = [replace(trial, likely_db=predicted(trial.layers)) for trial in trials]
    return judged, (*first.failed, *more.failed)


def _surest(
    found: _Alone, wish: Wish, trials: list[Trial], failed: tuple[str, ...]
) -> MemberTrials:
    """The fastest within the budget that exports, where it is surely faster than the base."""
    final = list(islice(_within(found, wish, trials), FINALISTS))
    if final:
        again = found.member.measure([trials[n].layers for n in (0, *final)], SURE_ROUNDS)
        for timed in again.trials[1:]:
            (number,) = (n for n in final if trials[n].layers == timed.layers)
            trials[number] = replace(trials[number], ratio=timed.ratio, high=timed.high)
    faster = [number for number in final if trials[number].high < 1]
    chosen = min(faster, key=lambda number: trials[number].ratio, default=0)
    return MemberTrials(str(found.variant), found.found.seconds, tuple(trials), failed, chosen)


def _within(found: _Alone, wish: Wish, trials: list[Trial]) -> Iterator[int]:
    """Trials that keep the budget, here and on other speech, and export; the fastest first."""
    for number in sorted(range(1, len(trials)), key=lambda each: trials[each].ratio):
        trial = trials[number]
        if trial.snr_db < wish.min_snr_db:
            continue
        trials[number] = replace(trial, likely_db=found.elsewhere.db(trial.layers))
        if trials[number].likely_db < wish.min_snr_db:
            continue
        try:
            exported(wish, found.variant, plan_of(wish, {found.variant: trial}))
        except (NotExactError, WrongInRuntimeError):
            continue
        yield number
