"""Whether chunks are the whole signal: as exact as was asked, or an error that says where not."""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from math import floor, isfinite
from typing import TYPE_CHECKING

from export.request import ExportRequest
from export.stream_record import Streamed
from hifigan_ref.errors import HifiError
from hifigan_ref.network import BATCH

ROUNDING_DB = 200.0  # of a graph in float64; one element of context less stays below 130

if TYPE_CHECKING:
    import onnx_ir as ir

    from export.opened import Opened
    from export.runtimes import Runtime
    from export.streaming.calls import Cut
    from export.streaming.proof import Worst
    from export.verify import Verification
    from hifigan_ref.trained import Trained


def check_exact(whole: "ir.Model", model: "ir.Model", request: ExportRequest, cut: "Cut") -> None:
    """Raises HifiError where chunks with all of their context are not the whole in float64."""
    from export.evaluate import evaluate
    from export.streaming.calls import Exactly
    from export.streaming.proof import lengths, worst_chunk

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
        f"is asked for: nothing was written; {advice(request, stream, worst.snr_db)}"
    )


def _open(content: bytes, request: ExportRequest, runtimes: "Sequence[Runtime]") -> "list[Opened]":
    import onnx

    from export.opened import open_in, refusal

    try:
        onnx.checker.check_model(content, full_check=True)
    except Exception as error:  # noqa: BLE001 - onnx raises its own types
        raise refusal(runtimes[0], request, error) from None
    return [open_in(each, content, request) for each in runtimes]


def verified(
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


def advice(request: ExportRequest, stream: Streamed, found_db: float) -> str:
    """What may be done about chunks of such an SNR."""
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
