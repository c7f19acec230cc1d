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

import copy
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from math import floor
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from export import memory
from export.lengths import short_lengths
from export.opened import Opened, open_in, ratio_db, refusal
from export.precision.budget import MIN_WRONG_DB
from export.precision.calibration import GAINS_DB
from export.request import ExportRequest
from export.runtimes import ONNXRUNTIME, Arrays, NotAsked, Verified, also_asked
from export.sums import sums_of
from hifigan_ref import audio
from hifigan_ref.errors import HifiError

if TYPE_CHECKING:
    from export.interface import Interface

LENGTHS = (2310, 2311)  # 2 * 3 * 5 * 7 * 11 divides by every period; one more leaves 1 over
LONG = (9240, 9241)  # where a promise is judged: the error of rounding is an average
BATCH = 2
MIN_SNR_DB = 60.0  # a wrong graph stays below 25; rounding above 100, a single small score above 70

Array = NDArray[np.floating]


class NotExactError(HifiError):
    """A right graph whose worst output is below the SNR that was asked for."""


@dataclass(frozen=True)
class Verification:
    """The worst output of the comparison.

    Attributes:
        output: its name.
        snr_db: signal-to-noise ratio against PyTorch, dB.
        samples: the T at which it was seen.
        promised_db: least SNR that was asked of it beside float64, dB; None where it was held
            against PyTorch in float32.
        runtimes: that computed the file.
        not_asked: why the one that it is for is not among them; None where it is.
    """

    output: str
    snr_db: float
    samples: int
    promised_db: float | None = None
    runtimes: tuple[Verified, ...] = ()
    not_asked: NotAsked | None = None


def snr_db(reference: Array, candidate: Array) -> float:
    """10 log10 of signal power over error power, in dB; inf where equal, -inf where not finite."""
    return sums_of(reference, candidate).snr_db


def example_inputs(
    request: ExportRequest, batch: int, samples: int, gain_db: float | None = None
) -> dict[str, NDArray[np.float32]]:
    """Speech for each input, another stretch of it for each, (N, 1, T); the loudest comes first.

    Args:
        request: of the graph.
        batch: N.
        samples: T.
        gain_db: beside the level that training code gives a file; None for the clip as it is.
    """
    speech = audio.speech()
    clip = (speech if gain_db is None else speech.loaded(gain_db)).loudest_first()
    return {
        name: clip.batch(batch, samples, first=i * batch) for i, name in enumerate(request.inputs)
    }


def run_torch(
    function: "Interface", inputs: Mapping[str, NDArray[np.floating]]
) -> dict[str, NDArray[np.floating]]:
    """Outputs of PyTorch in the precision of the inputs."""
    import torch

    with torch.inference_mode():
        outputs = function(**{name: torch.from_numpy(array) for name, array in inputs.items()})
    return {name: tensor.numpy() for name, tensor in outputs.items()}


def run_in_float64(function: "Interface", inputs: Mapping[str, Array]) -> Mapping[str, Array]:
    """Outputs of PyTorch in float64: parts of the batch side by side, each on cores of its own.

    On many cores together PyTorch is slower at a grouped convolution in float64 than on one.
    """
    import torch

    with torch.no_grad():
        double = copy.deepcopy(function).double()
    threads = torch.get_num_threads()
    parts = min(threads, len(next(iter(inputs.values()))))
    of_each = threads // parts
    cut = {name: np.array_split(x.astype(np.float64), parts) for name, x in inputs.items()}
    each = [{name: arrays[part] for name, arrays in cut.items()} for part in range(parts)]
    try:
        with ThreadPoolExecutor(parts, "", torch.set_num_threads, (of_each,)) as pool:
            found = list(pool.map(partial(run_torch, double), each))
    finally:
        torch.set_num_threads(threads)  # OpenMP counts for each thread, MKL once for all
    return {name: np.concatenate([part[name] for part in found]) for name in found[0]}


@contextmanager
def one_thread() -> Iterator[None]:
    """PyTorch on a single thread: others cost more than they give where a layer is tiny."""
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def promised_db(request: ExportRequest) -> float | None:
    """Least SNR that a file promises beside float64, dB; None for float32 without a demand."""
    float32 = request.precision.used(request.variant) == ("fp32",)
    return None if float32 and request.min_snr_db is None else request.budget_db


def demand_memory(request: ExportRequest) -> None:
    """Raises HifiError where a graph is too large to be verified here, before any work for it."""
    promised = promised_db(request) is not None
    samples = request.samples or max(LONG if promised else LENGTHS)
    memory.demand(request, request.batch or BATCH, samples, in_float64=promised)


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
    from torch.nn.utils import parametrize

    promise, batch = promised_db(request), request.batch or BATCH
    usual = LENGTHS if promise is None else LONG
    usual = usual if request.samples is None else (request.samples,)
    first = _load(content, request)
    asked = also_asked(request.target)
    other = None if isinstance(asked, NotAsked) else asked
    judge = _Judge(request, function, first, other and open_in(other, content, request))
    lowest = min(
        (entry for samples, gain in _cases(usual, promise) for entry in judge.usual(samples, gain)),
        key=lambda entry: entry.snr_db,
    )
    _demand(lowest, request)
    short = ()
    if request.samples is None and (judge.float32 or other):
        short = short_lengths(request.variant, function.network, min(usual))
    with parametrize.cached(), one_thread():
        for samples in short:
            judge.short(samples)
    if other and other.fixes_shapes:
        for samples in (min(short, default=usual[0]), usual[-1]):
            shapes = dict.fromkeys(request.inputs, (batch, 1, samples))
            judge.fixed(open_in(other, content, request, shapes), samples)
    shortest = min((*short, *usual))
    held = [
        Verified(ONNXRUNTIME.name, ONNXRUNTIME.version, shortest if judge.float32 else usual[0])
    ]
    if other:
        held.append(Verified(other.name, other.version, shortest))
    return replace(
        lowest, runtimes=tuple(held), not_asked=asked if isinstance(asked, NotAsked) else None
    )


def _cases(lengths: tuple[int, ...], promise: float | None) -> Iterator[tuple[int, float | None]]:
    """Lengths and levels: what is rounded to few bits may be as exact at one level alone."""
    for samples in lengths:
        yield samples, None
    if promise is not None:
        yield from ((lengths[0], gain) for gain in GAINS_DB)


@dataclass(frozen=True)
class _Judge:
    """A file that is open, and what it is held against.

    Attributes:
        request: what was asked for.
        function: the network as trained.
        first: the file in onnxruntime.
        second: and in the runtime that it is for, if that is another one.
    """

    request: ExportRequest
    function: "Interface"
    first: Opened
    second: Opened | None

    @property
    def float32(self) -> bool:
        """Whether every layer is, so that PyTorch says what is right at any length."""
        return self.request.precision.used(self.request.variant) == ("fp32",)

    def usual(self, samples: int, gain_db: float | None) -> list[Verification]:
        """Every output in onnxruntime, beside PyTorch."""
        promise = promised_db(self.request)
        inputs = self._inputs(samples, gain_db)
        expected = run_torch(self.function, inputs)
        _check_alive(expected)
        exact = expected if promise is None else run_in_float64(self.function, inputs)
        found = self.first.run(inputs)
        if list(found) != list(exact):
            raise HifiError(f"outputs are {list(found)}, expected {list(exact)}: report this")
        if self.second:
            self._hold(self.second, inputs, expected if self.float32 else found)
        return [
            Verification(name, ratio_db(array, found[name]), samples, promise)
            for name, array in exact.items()
        ]

    def short(self, samples: int) -> None:
        """The same where a promise means nothing."""
        inputs = self._inputs(samples)
        expected = self._expected(inputs)
        for opened in filter(None, (self.first if self.float32 else None, self.second)):
            self._hold(opened, inputs, expected)

    def fixed(self, opened: Opened, samples: int) -> None:
        """The same of the second runtime when it was told the shapes."""
        inputs = self._inputs(samples)
        self._hold(opened, inputs, self._expected(inputs))

    def _inputs(self, samples: int, gain_db: float | None = None) -> dict[str, NDArray[np.float32]]:
        return example_inputs(self.request, self.request.batch or BATCH, samples, gain_db)

    def _expected(self, inputs: Mapping[str, Array]) -> Mapping[str, Array]:
        return run_torch(self.function, inputs) if self.float32 else self.first.run(inputs)

    def _hold(self, opened: Opened, inputs: Arrays, expected: Arrays) -> None:
        beside = "PyTorch" if self.float32 else ONNXRUNTIME.name
        floor = MIN_SNR_DB if self.float32 else self.request.budget_db / 2
        opened.hold(inputs, expected, floor, beside)


def _demand(lowest: Verification, request: ExportRequest) -> None:
    """Raises HifiError where the worst output is too far off."""
    promise = lowest.promised_db
    where = f"{lowest.output} at {lowest.samples} samples has an SNR of {lowest.snr_db:.1f} dB"
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


def _check_alive(expected: Mapping[str, Array]) -> None:
    """Refuse weights with which PyTorch's own outputs say nothing."""
    for name, reference in expected.items():
        reason = None
        if not np.isfinite(reference).all():
            reason = "NaN or Inf"
        elif not reference.any():
            reason = "nothing but zeros"
        if reason is not None:
            raise HifiError(
                f"with these weights PyTorch itself computes {reason} ({name}): nothing was "
                "written; look at the checkpoint"
            )


def _load(content: bytes, request: ExportRequest) -> Opened:
    """In onnxruntime, once onnx has found nothing wrong with it."""
    import onnx

    try:
        onnx.checker.check_model(content, full_check=True)
    except Exception as error:  # noqa: BLE001 - onnx raises its own types
        raise refusal(ONNXRUNTIME, request, error) from None
    return open_in(ONNXRUNTIME, content, request)
