"""An exported file in onnxruntime against PyTorch in float64, over many shapes; not timed."""

import copy
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from bench.hole import Skipped
from bench.parity import meaning
from bench.parity.cases import Shape, shapes, waveforms
from bench.parity.judge import Reference, compare
from bench.parity.layers import layer_noise
from bench.parity.meaning import Judged
from bench.parity.report import SCHEMA, Element, OutputCase, ParityCase, ParityReport
from bench.peer import outputs_in
from export import artifact
from export.artifact import Artifact
from export.cache import cached_export
from export.request import ExportRequest, Outputs
from export.runtimes import open_on_cpu
from export.verify import run_torch
from hifigan_ref.audio import Recording
from hifigan_ref.errors import HifiError
from hifigan_ref.source import Source
from hifigan_ref.variant import Variant
from hifigan_ref.version import VERSION

if TYPE_CHECKING:
    import onnxruntime as ort

    from export.interface import Interface
    from hifigan_ref.trained import Trained

Arrays = Mapping[str, NDArray[np.floating]]
Inputs = Mapping[str, NDArray[np.float32]]
Run = Callable[[Inputs], Arrays]


@dataclass(frozen=True)
class Order:
    """What a report is to be made of.

    Attributes:
        weights: that the file must have been made from.
        recording: speech.
        lengths: T of the cases instead of the usual ones.
        min_snr_db: least SNR of the worst output, dB, instead of what the file promises.
    """

    weights: Source
    recording: Recording
    lengths: tuple[int, ...] = ()
    min_snr_db: float | None = None


@dataclass(frozen=True)
class _Computers:
    """One function: PyTorch in float64, in float32, in the file's precision, and the file.

    The third computes the first item alone where it is not the second.
    """

    exact: Run
    torch: Run
    peer: Run
    found: Run


@dataclass(frozen=True)
class Selection:
    """Networks to export; with a file instead, none are named.

    Attributes:
        variants: mpd and msd where it is empty.
        outputs: ``all`` or ``scores``.
        pair: y and y_hat in one pass.
    """

    variants: tuple[Variant, ...] = ()
    outputs: Outputs = "all"
    pair: bool = False


def run(file: Path | None, chosen: Selection, order: Order) -> tuple[ParityReport, ...]:
    """A report of a file, or of each network.

    Raises:
        HifiError: both were given, or the file, its weights, a length or speech is refused.
    """
    if file is None:
        variants = chosen.variants or (Variant("mpd"), Variant("msd"))
        order.weights.check(variants)
        return tuple(_of_variant(variant, chosen, order) for variant in variants)
    if chosen != Selection():
        raise HifiError(f"{file} and a selection (--period, --outputs, --pair...): give one")
    return (of_file(file, order),)


def of_file(path: Path, order: Order) -> ParityReport:
    """A file of ours against the weights it was made from.

    Raises:
        HifiError: it is not ours or was changed, or was made from other weights.
    """
    loaded = artifact.load(path)
    variant = Variant.parse(loaded.manifest.variant)
    order.weights.check([variant])
    trained = order.weights.build(variant)
    if trained.digest != loaded.manifest.weights_digest:
        raise HifiError(
            f"{path} was made from {loaded.manifest.weights} and not from these weights "
            f"({trained.origin}): give its --checkpoint or --seed"
        )
    return report(loaded, path.read_bytes(), trained, order)


def _of_variant(variant: Variant, chosen: Selection, order: Order) -> ParityReport:
    """Exported if it is not kept."""
    trained = order.weights.build(variant)
    request = ExportRequest(variant, outputs=chosen.outputs, pair=chosen.pair)
    exported = cached_export(request, order.weights.identity, lambda _: trained)
    return report(exported, exported.path.read_bytes(), trained, order)


def report(file: Artifact, content: bytes, trained: "Trained", order: Order) -> ParityReport:
    """Run every case of a file.

    Args:
        file: what it is.
        content: its bytes.
        trained: the weights that it was made from.
        order: speech and lengths.
    """
    computers = _computers(file, content, trained)
    return ParityReport(
        schema=SCHEMA,
        tool=f"hifi-export {VERSION}",
        variant=file.manifest.variant,
        file=file.path.name,
        sha256=file.sha256,
        weights=trained.origin,
        weights_digest=trained.digest,
        source=order.recording.source,
        versions=_versions(),
        budget_db=_budget(file, order),
        cases=tuple(
            _case(computers, shape, file, order) for shape in shapes(file.manifest, order.lengths)
        ),
        precision=file.manifest.precision.name,
        layers=layer_noise(file, order.weights, order.recording),
    )


def _budget(file: Artifact, order: Order) -> float:
    return file.manifest.budget_db if order.min_snr_db is None else order.min_snr_db


def _versions() -> dict[str, str]:
    import onnxruntime as ort
    import torch

    return {"onnxruntime": ort.__version__, "torch": str(torch.__version__)}


def _computers(file: Artifact, content: bytes, trained: "Trained") -> _Computers:
    from export.interface import interface

    request = _request(file)
    double = interface(copy.deepcopy(trained.module).double(), request)

    @cache
    def session() -> "ort.InferenceSession":
        return open_on_cpu(content)

    plan = file.manifest.precision
    single = _torch(interface(trained.module, request))
    return _Computers(
        lambda inputs: run_torch(double, {n: a.astype(np.float64) for n, a in inputs.items()}),
        single,
        single if plan.is_float32 else partial(outputs_in, plan, trained, request),
        lambda inputs: _run(session, inputs),
    )


def _request(file: Artifact) -> ExportRequest:
    held = file.manifest
    return ExportRequest(Variant.parse(held.variant), outputs=held.output_choice, pair=held.pair)


def _torch(function: "Interface") -> Run:
    return lambda inputs: run_torch(function, inputs)


def _run(session: "Callable[[], ort.InferenceSession]", inputs: Inputs) -> Arrays:
    try:
        opened = session()
        arrays = opened.run(None, dict(inputs))
    # onnxruntime's exceptions derive from none but Exception
    except Exception as error:  # noqa: BLE001
        told = str(error).strip().splitlines()[0]
        raise HifiError(f"onnxruntime cannot run the file: {told}") from None
    names = [output.name for output in opened.get_outputs()]
    return dict(zip(names, arrays, strict=True))


def _case(computers: _Computers, shape: Shape, file: Artifact, order: Order) -> ParityCase:
    pair, budget_db = file.manifest.pair, _budget(file, order)
    y, y_hat = waveforms(order.recording, shape)
    inputs = [{"y": y, "y_hat": y_hat}] if pair else [{"y": y}, {"y": y_hat}]
    try:
        found = [computers.found(each) for each in inputs]
    except HifiError as error:
        hole = Skipped(str(error))
        return ParityCase(shape.batch, shape.samples, hole, hole)
    exact, torch = ([run(each) for each in inputs] for run in (computers.exact, computers.torch))
    judged = [meaning.from_pair(*p) if pair else Judged(*p) for p in (exact, torch, found)]
    own = torch[0] if computers.peer is computers.torch else computers.peer(inputs[0])
    compared = compare(Reference(exact[0], own), found[0], budget_db)
    outputs = tuple(
        OutputCase(parity, _worst(parity.name, exact[0], found[0])) for parity in compared.outputs
    )
    return ParityCase(shape.batch, shape.samples, outputs, meaning.changes(*judged))


def _worst(name: str, exact: Arrays, found: Arrays) -> Element | Skipped:
    """What is not finite is worst of all."""
    if name not in exact or name not in found:
        return Skipped("missing" if name in exact else "not expected")
    expected, reached = exact[name], found[name].astype(np.float64)
    if expected.shape != reached.shape:
        return Skipped(f"has shape {reached.shape}, expected is {expected.shape}")
    with np.errstate(invalid="ignore"):
        error = np.nan_to_num(np.abs(reached - expected), nan=np.inf, posinf=np.inf)
    index = np.unravel_index(int(error.argmax()), error.shape)
    return Element(tuple(map(int, index)), float(expected[index]), float(reached[index]))
