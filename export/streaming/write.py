"""From a trained network to a file that computes chunks of its signal: whole, or nothing at all."""

import copy
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from export import artifact, atomic, pipeline
from export.pipeline import Exported
from export.request import ExportRequest
from export.stream_record import ChunkPlan, Streamed
from export.streaming.judge import check_exact, verified
from hifigan_ref.errors import HifiError
from hifigan_ref.network import BATCH

if TYPE_CHECKING:
    import onnx_ir as ir

    from export.streaming.calls import Cut
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
    check_exact(whole, model, request, cut)
    judged = pipeline.judged_by(whole, request)
    model, request = pipeline.rewritten(whole, request, partial(_part, plan=plan))
    content = artifact.bare(model)
    verification, stream = verified(content, request, trained, cut)
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
    from export.streaming.calls import Cut
    from export.streaming.chunk_graph import chunked, stateful
    from export.streaming.context import context_in
    from export.streaming.field import field_of

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
