"""``hifi-export onnx --precision mixed``: a wish, the search, the files, and what is told."""

from dataclasses import replace
from pathlib import Path

from bench.backend import parted
from bench.bar import shown
from bench.choice import check
from bench.machine import busy
from bench.machine.survey import usable_cores
from bench.mix.run import Mixed, mix
from bench.mix.search import Progress
from bench.mix.wish import Wish
from bench.mixing_record import MemberTrials
from export import atomic, choice, memory
from export.lowering.plan import plan_of as lowering_of
from export.precision.budget import GRAPH_PRECISIONS
from export.request import ExportRequest
from hifigan_ref.errors import HifiError
from hifigan_ref.network import BATCH
from hifigan_ref.source import Source
from hifigan_ref.variant import Variant

INTERRUPTED_SEARCH = "interrupted: members that were finished are kept; the same command goes on"
ITEMS = 2  # of what is timed, where the batch is dynamic


def export_mixed(
    typed: choice.Wish, request: ExportRequest, paths: dict[Variant, Path], weights: Source
) -> Mixed:
    """Search and export.

    Args:
        typed: options that shape a graph.
        request: of the first graph; the others are like it.
        paths: where each network's file goes.
        weights: of the networks.

    Raises:
        HifiError: an option is missing, the folder cannot be written, or as ``mix``.
    """
    if typed.backend is None or request.min_snr_db is None:
        raise HifiError(
            "--precision mixed: say which runtime is measured and how exact it must be: "
            "add --for BACKEND and --min-snr DB"
        )
    check([typed.backend])
    folder = next(iter(paths.values())).parent
    atomic.check_writable(folder)
    name = parted(typed.backend)[0]
    plan = choice.precision_for(replace(typed, precision="int8", backend=name))
    wish = Wish(
        typed.backend,
        tuple(paths),
        replace(request, precision=replace(plan, base="fp32")),
        {each: lowering_of(typed.lowering, name, each) for each in GRAPH_PRECISIONS},
        {**request.signature.typical, BATCH: ITEMS, **request.sizes},
        usable_cores(),
        weights,
    )
    for variant in wish.variants:
        memory.demand(wish.request_of(variant), wish.sizes_of(variant), in_float64=True)
    weights.check(wish.variants)
    busy.warn(wish.threads)
    return mix(wish, paths, folder, lambda steps: shown(steps, _told))


def _told(step: Progress) -> str | None:
    if not isinstance(step, MemberTrials):
        return None
    choice = step.choice
    less = len(choice.layers)
    layers = "1 layer" if less == 1 else f"{less} layers"
    return (
        f"{step.member}: {layers} in less, {1 / choice.ratio:.2f}x, {choice.snr_db:.1f} dB "
        f"({len(step.trials)} tried)"
    )
