"""Run a finished file in onnxruntime and hold it against the network it came from.

1. In float32 this catches a wrong graph, not rounding. In a lesser precision, or where a least SNR
   was asked for, it is the budget itself: on speech that no range was taken from, at every level
   that the layers were judged at, beside float64. The lengths are chosen so that every period
   meets no pad at all and its largest one.
2. Runtimes have been wrong at short lengths alone: there too, from the shortest on. What a lesser
   precision loses over so few values is chance, and is left to the other lengths.
3. In the runtime that it is for too, beside PyTorch, or in a lesser precision beside onnxruntime:
   both round, but not by half of the budget. With its shapes told as well, where that runtime then
   computes in another way.
"""

from collections.abc import Iterator
from dataclasses import replace
from math import floor
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from export import memory
from export.comparison import MIN_SNR_DB, Comparison, Verification
from export.lengths import short_sizes, usual_sizes
from export.opened import Opened, open_in, refusal
from export.precision.budget import MIN_WRONG_DB, NotExactError
from export.precision.calibration import GAINS_DB
from export.request import ExportRequest
from export.runtimes import ONNXRUNTIME, NotAsked, Verified, also_asked
from export.sums import sums_of
from export.torch_outputs import example_inputs, one_thread, run_in_float64, run_torch
from hifigan_ref.errors import HifiError
from hifigan_ref.network import Sizes, in_words

if TYPE_CHECKING:
    from export.interface import Interface

__all__ = [
    "MIN_SNR_DB",
    "Verification",
    "example_inputs",
    "run_in_float64",
    "run_torch",
    "snr_db",
    "verify",
]


def snr_db(reference: NDArray[np.floating], candidate: NDArray[np.floating]) -> float:
    """10 log10 of signal power over error power, in dB; inf where equal, -inf where not finite."""
    return sums_of(reference, candidate).snr_db


def promised_db(request: ExportRequest) -> float | None:
    """Least SNR that a file promises beside float64, dB; None for float32 without a demand."""
    float32 = request.precision.used(request.variant) == ("fp32",)
    return None if float32 and request.min_snr_db is None else request.budget_db


def demand_memory(request: ExportRequest) -> None:
    """Raises HifiError where a graph is too large to be verified here, before any work for it."""
    promised = promised_db(request) is not None
    for sizes in usual_sizes(request, promised):
        memory.demand(request, sizes, in_float64=promised)


def verify(content: bytes, request: ExportRequest, function: "Interface") -> Verification:
    """Check the bytes of a file before they are written.

    The network as trained is what counts, so that a mistake in folding is seen too.

    Args:
        content: the file.
        request: what was asked for.
        function: the network as trained, norms in place.

    Raises:
        HifiError: PyTorch's own outputs are not finite or nothing but zeros, onnx or a runtime
            refuses the file, its numbers are not the network's, or not as exact as promised.
    """
    promise = promised_db(request)
    usual = usual_sizes(request, promise is not None)
    first = _load(content, request)
    asked = also_asked(request.target)
    other = None if isinstance(asked, NotAsked) else asked
    second = open_in(other, content, request) if other else None
    judge = Comparison(request, function, first, second, promise)
    lowest = min(
        (entry for sizes, gain in _cases(usual, promise) for entry in judge.usual(sizes, gain)),
        key=lambda entry: entry.snr_db,
    )
    _demand(lowest, request)
    short = _short(judge, usual[0])
    if other and other.fixes_shapes and short:
        for sizes in (short[0], usual[-1]):
            shapes = {port.name: port.sized(sizes) for port in request.signature.inputs}
            judge.fixed(open_in(other, content, request, shapes), sizes)
    shortest = (*short, usual[0])[0]
    held = [(ONNXRUNTIME, shortest if judge.float32 else usual[0])]
    held += [(other, shortest)] if other else []
    return replace(
        lowest,
        runtimes=tuple(Verified(each.name, each.version, least) for each, least in held),
        not_asked=asked if isinstance(asked, NotAsked) else None,
    )


def _cases(usual: tuple[Sizes, ...], promise: float | None) -> Iterator[tuple[Sizes, float | None]]:
    """Sizes and levels: what is rounded to few bits may be as exact at one level alone."""
    for sizes in usual:
        yield sizes, None
    if promise is not None:
        yield from ((usual[0], gain) for gain in GAINS_DB)


def _short(judge: Comparison, below: Sizes) -> tuple[Sizes, ...]:
    """Short sizes, at all of which a file of any length was right."""
    from torch.nn.utils import parametrize

    from export.hops import hops

    if not (judge.float32 or judge.second):
        return ()
    found = short_sizes(judge.request, hops(judge.function.network, judge.request), below)
    with parametrize.cached(), one_thread():
        for sizes in found:
            judge.short(sizes)
    return found


def _demand(lowest: Verification, request: ExportRequest) -> None:
    """Raises HifiError where the worst output is too far off."""
    promise = lowest.promised_db
    at = in_words(lowest.sizes)
    where = f"{lowest.output} at {at} has an SNR of {lowest.snr_db:.1f} dB"
    if promise is not None and MIN_WRONG_DB < lowest.snr_db < promise:
        raise NotExactError(
            f"{request.variant} in {request.precision.name} is not exact enough: {where}, "
            f"{promise:g} is asked for: nothing was written; choose a finer precision, or allow "
            f"it with --min-snr {floor(lowest.snr_db)}"
        )
    if not lowest.snr_db >= (MIN_SNR_DB if promise is None else promise):
        raise HifiError(
            f"the exported {request.variant} computes something else than PyTorch: {where}, "
            f"{MIN_SNR_DB if promise is None else promise:g} or more is expected: nothing was "
            "written; report this"
        )


def _load(content: bytes, request: ExportRequest) -> Opened:
    """In onnxruntime, once onnx has found nothing wrong with it."""
    import onnx

    try:
        onnx.checker.check_model(content, full_check=True)
    except Exception as error:  # noqa: BLE001 - onnx raises its own types
        raise refusal(ONNXRUNTIME, request, error) from None
    return open_in(ONNXRUNTIME, content, request)
