"""Run a finished file in onnxruntime and hold it against the network it came from.

In float32 this catches a wrong graph, not rounding. In a lesser precision, or where a least SNR was
asked for, it is the promise itself: on speech that no range was taken from, beside float64.
The lengths are chosen so that every period meets no pad at all and its largest one.
"""

import copy
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from math import floor
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from export import memory
from export.precision.budget import MIN_WRONG_DB
from export.request import ExportRequest
from export.sums import sums_of
from hifigan_ref import audio
from hifigan_ref.errors import HifiError

if TYPE_CHECKING:
    import onnxruntime as ort

    from export.interface import Interface

LENGTHS = (2310, 2311)  # 2 * 3 * 5 * 7 * 11 divides by every period; one more leaves 1 over
LONG = (9240, 9241)  # where a promise is judged: the error of rounding is an average
BATCH = 2
MIN_SNR_DB = 60.0  # a wrong graph stays below 20, rounding in float32 above 100

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
    """

    output: str
    snr_db: float
    samples: int
    promised_db: float | None = None


def snr_db(reference: Array, candidate: Array) -> float:
    """10 log10 of signal power over error power, in dB; inf where equal, -inf where not finite."""
    return sums_of(reference, candidate).snr_db


def example_inputs(
    request: ExportRequest, batch: int, samples: int
) -> dict[str, NDArray[np.float32]]:
    """Speech for each input, another stretch of it for each, (N, 1, T); the loudest comes first."""
    clip = audio.speech().loudest_first()
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


def promised_db(request: ExportRequest) -> float | None:
    """Least SNR that a file promises beside float64, dB; None for float32 without a demand."""
    float32 = request.precision.used(request.variant) == ("fp32",)
    return None if float32 and request.min_snr_db is None else request.budget_db


def verify(content: bytes, request: ExportRequest, function: "Interface") -> Verification:
    """Check the bytes of a file before they are written.

    The network as trained is what counts, so that a mistake in folding is seen too.

    Args:
        content: the file.
        request: what was asked for.
        function: the network as trained, norms in place.

    Raises:
        HifiError: PyTorch's own outputs are not finite or nothing but zeros, onnx or onnxruntime
            refuses the file, its numbers are not the network's, or not as exact as promised.
    """
    promise = promised_db(request)
    lengths = LENGTHS if promise is None else LONG
    memory.demand(request.batch or BATCH, request.samples or max(lengths))
    session = _load(content, request)
    worst: list[Verification] = []
    for samples in (request.samples,) if request.samples else lengths:
        inputs = example_inputs(request, request.batch or BATCH, samples)
        expected: Mapping[str, Array] = run_torch(function, inputs)
        _check_alive(expected)
        if promise is not None:
            expected = run_in_float64(function, inputs)
        names = [output.name for output in session.get_outputs()]
        if names != list(expected):
            raise HifiError(f"outputs are {names}, expected {list(expected)}: report this")
        found = dict(zip(expected, _run(session, request, inputs), strict=True))
        for name, reference in expected.items():
            same = reference.shape == found[name].shape
            ratio = snr_db(reference, found[name]) if same else -np.inf
            worst.append(Verification(name, ratio, samples, promise))
    lowest = min(worst, key=lambda entry: entry.snr_db)
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
    return lowest


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


def _run(
    session: "ort.InferenceSession", request: ExportRequest, inputs: Mapping[str, Array]
) -> Any:
    try:
        return session.run(None, inputs)
    except Exception as error:  # noqa: BLE001 - as above
        told = str(error).strip().splitlines()[0]
        shapes = {name: array.shape for name, array in inputs.items()}
        raise HifiError(
            f"onnxruntime cannot run the exported {request.variant} on {shapes}: {told}: "
            "nothing was written; report this"
        ) from None


def open_on_cpu(content: bytes) -> "ort.InferenceSession":
    """A file in onnxruntime on the CPU, as it is, or in float32 with every rounding of it."""
    import onnx_ir as ir
    import onnxruntime as ort
    from onnx import ModelProto

    from export.precision.emulate import emulate, is_narrow

    model = ir.from_proto(ModelProto.FromString(content))
    if is_narrow(model):
        content = ir.to_proto(emulate(model)).SerializeToString()
    return ort.InferenceSession(content, providers=["CPUExecutionProvider"])


def _load(content: bytes, request: ExportRequest) -> "ort.InferenceSession":
    import onnx
    import onnxruntime as ort

    try:
        onnx.checker.check_model(content, full_check=True)
        return open_on_cpu(content)
    # onnx raises its own types and onnxruntime's derive from none but Exception.
    except Exception as error:  # noqa: BLE001
        raise HifiError(
            f"opset {request.opset} of {request.variant} is refused: "
            f"{str(error).strip().splitlines()[0]}: choose another opset or a newer onnxruntime "
            f"(here {ort.__version__})"
        ) from None
