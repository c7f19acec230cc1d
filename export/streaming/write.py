"""From a trained network to a file that computes chunks of its signal: whole, or nothing at all."""

import copy
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from math import floor, isfinite
from pathlib import Path
from typing import TYPE_CHECKING

from export import artifact, atomic, pipeline
from export.pipeline import Exported
from export.request import ExportRequest
from export.stream_record import ChunkPlan, Streamed
from hifigan_ref.errors import HifiError
from hifigan_ref.network import BATCH

ROUNDING_DB = 200.0  # of a graph in float64; one element of context less stays below 130

if TYPE_CHECKING:
    import onnx_ir as ir

    from export.opened import Opened
    from export.runtimes import Runtime
    from export.streaming.proof import Cut, Worst
    from export.verify import Verification
    from hifigan_ref.trained import Trained


def export_part(
    request: ExportRequest,
    plan: ChunkPlan | None,
    trained: "Trained",
    path: Path,
    durable: bool = True,
) -> Exported:
    """Export a network whole, or a chunk of it where one is asked for. Raises HifiError."""
    if plan is None:
        return pipeline.export_onnx(request, trained, path, durable)
    return export_chunk(request, plan, trained, path, durable)


def export_chunk(
    request: ExportRequest, plan: ChunkPlan, trained: "Trained", path: Path, durable: bool = True
) -> Exported:
    """Export a network's chunk to ``path`` and its manifest beside it; on any error write nothing.

    Args:
        request: the network, whole.
        plan: the chunk.
        trained: the network.
        path: where to.
        durable: wait until the disk has it.

    Raises:
        HifiError: the field is not finite, the chunk does not fit, or chunks are not the whole.
    """
    from export.contract import check_graph
    from export.fold import fold
    from export.precision.held import held
    from export.to_onnx import to_onnx

    if request.precision.io == "same":
        raise HifiError("--chunk with --io-types same: chunks take float32: leave --io-types out")
    if BATCH not in request.signature.axes:
        raise HifiError(
            f"{request.variant} has no {BATCH} axis, and a file of chunks counts where each item "
            "of one is: declare it in front of its inputs' shapes"
        )
    atomic.check_writable(path.parent)
    folded = copy.deepcopy(trained.module)
    report = fold(folded, trained.variant)
    whole = to_onnx(folded, request)
    check_graph(whole, request)
    model, cut = _cut(whole, request, plan)
    _check_exact(whole, model, request, cut)
    judged = pipeline.judged_by(whole, request)
    model, request = pipeline.rewritten(whole, request, partial(_part, plan=plan))
    content = artifact.bare(model)
    verification, stream = _verified(content, request, trained, cut)
    runtimes, not_asked = verification.runtimes, verification.not_asked
    manifest, content = artifact.seal(
        content, request, trained, runtimes, not_asked, judged, stream=stream
    )
    saved = artifact.save(path, manifest, content, durable)
    return Exported(saved, report, verification, held(model))


def _part(whole: "ir.Model", plan: ChunkPlan) -> "ir.Model":
    from export.streaming.chunk_graph import chunked, stateful

    if plan.stateful:
        return stateful(whole, plan.chunk)[0]
    return chunked(whole, plan.chunk, plan.sides)[0]


def _cut(whole: "ir.Model", request: ExportRequest, plan: ChunkPlan) -> "tuple[ir.Model, Cut]":
    """The chunk's graph, and what is known of it before it runs."""
    import numpy as np

    from export.builder import shape_of
    from export.stream_record import STATE
    from export.streaming.chunk_graph import chunked, stateful
    from export.streaming.context import context_in
    from export.streaming.field import field_of
    from export.streaming.proof import Cut

    field = field_of(whole)
    needed = context_in(field)
    names = [str(value.name) for value in whole.graph.outputs]
    sides, delays = (0, 0), None
    if plan.stateful:
        model, found = stateful(whole, plan.chunk)
        delays = {name: -found.made[name].first for name in names}
    else:
        model, context = chunked(whole, plan.chunk, plan.sides)
        sides = (context.left, context.right)
    stream = Streamed(
        chunk=plan.chunk,
        left=sides[0],
        right=sides[1],
        needed=(needed.left, needed.right),
        unit=field.unit,
        unit_s=request.signature.axes[field.unit].unit_s,
        factors={name: field.rates[name].as_integer_ratio() for name in names},
        snr_db=0.0,
        delays=delays,
    )
    states = {
        str(value.name): np.zeros((1, *map(int, shape_of(value)[1:])), value.dtype.numpy())  # type: ignore[arg-type, union-attr]
        for value in model.graph.inputs
        if str(value.name).startswith(STATE)
    }
    return model, Cut(stream, {name: field.axes[name] for name in names}, states)


def _check_exact(whole: "ir.Model", model: "ir.Model", request: ExportRequest, cut: "Cut") -> None:
    """Raises HifiError where chunks with all of their context are not the whole in float64."""
    from export.evaluate import evaluate
    from export.streaming.proof import Exactly, lengths, worst_chunk

    if not cut.stream.exact:
        return
    signals = lengths(cut.stream, request)[:1]
    worst = worst_chunk([Exactly(model)], cut, request, partial(evaluate, whole), signals)
    if not worst.snr_db >= ROUNDING_DB:
        raise HifiError(_difference(request, cut.stream, worst, ROUNDING_DB))


def _difference(request: ExportRequest, stream: Streamed, worst: "Worst", asked_db: float) -> str:
    return (
        f"chunks of {request.variant} are not the whole: {worst.output} from {stream.unit} "
        f"{worst.first} of {worst.length} on has an SNR of {worst.snr_db:.1f} dB, {asked_db:g} "
        f"is asked for: nothing was written; {_advice(request, stream, worst.snr_db)}"
    )


def _open(content: bytes, request: ExportRequest, runtimes: "Sequence[Runtime]") -> "list[Opened]":
    import onnx

    from export.opened import open_in, refusal

    try:
        onnx.checker.check_model(content, full_check=True)
    except Exception as error:  # noqa: BLE001 - onnx raises its own types
        raise refusal(runtimes[0], request, error) from None
    return [open_in(each, content, request) for each in runtimes]


def _verified(
    content: bytes,
    request: ExportRequest,
    trained: "Trained",
    cut: "Cut",
) -> "tuple[Verification, Streamed]":
    """Every chunk of several signals beside the whole network in float64.

    Raises:
        HifiError: one is not as exact as promised.
    """
    from export.interface import interface
    from export.runtimes import ONNXRUNTIME, NotAsked, Verified, also_asked
    from export.streaming.proof import lengths, worst_chunk
    from export.torch_outputs import run_in_float64
    from export.verify import Verification

    asked = also_asked(request.target)
    other = [] if asked is None or isinstance(asked, NotAsked) else [asked]
    runtimes: list[Runtime] = [ONNXRUNTIME, *other]
    files = _open(content, request, runtimes)
    whole_of = partial(run_in_float64, interface(trained.module, request))
    stream, promise = cut.stream, request.budget_db
    exact = request.precision.used(request.variant) == ("fp32",)
    typical = 0 if exact else request.signature.axes[stream.unit].typical
    signals = lengths(stream, request, typical)
    # fewer bits promise an average over what is usual, of which a few frames say little
    checks = [(signals, promise)] if exact else [(signals[:1], promise), (signals[1:], promise / 2)]
    found = []
    for some, least_db in checks:
        found.append(worst_chunk(files, cut, request, whole_of, some, exact))
        if not found[-1].snr_db >= least_db:
            raise HifiError(_difference(request, stream, found[-1], least_db))
    worst = found[0]
    least = {BATCH: 1, stream.unit: min(signals)}
    verified = Verification(
        worst.output,
        worst.snr_db,
        {stream.unit: worst.length},
        promise,
        tuple(Verified(each.name, each.version, least) for each in runtimes),
        asked if isinstance(asked, NotAsked) else None,
    )
    return verified, replace(stream, snr_db=round(worst.snr_db, 1))


def _advice(request: ExportRequest, stream: Streamed, found_db: float) -> str:
    exact = stream.exact and request.precision.used(request.variant) == ("fp32",)
    if exact or not isfinite(found_db):
        return "report this"
    if stream.exact:
        return f"choose a finer precision, or allow it with --min-snr {floor(found_db)}"
    given, all_of_it = (f"{a},{b}" for a, b in ((stream.left, stream.right), stream.needed))
    return (
        f"choose more than --context {given} ({all_of_it} is exact), or allow it with --min-snr "
        f"{floor(found_db)}"
    )
