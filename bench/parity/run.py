"""An exported file against PyTorch in float64, over many shapes; not timed.

In onnxruntime, and in the runtime that it was made for where that is another one.
"""

import copy
import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from bench.hole import Skipped
from bench.judge import Reference, check_least, compare
from bench.parity import meaning, sound
from bench.parity.cases import every_size, paired, real_and_generated
from bench.parity.layers import layer_noise
from bench.parity.meaning import Judged
from bench.parity.report import NO_SCORES, SCHEMA, Element, OutputCase, ParityCase, ParityReport
from bench.peer import outputs_in
from export import artifact, runtimes
from export.artifact import Artifact, Port
from export.cache import cached_export
from export.request import ExportRequest
from export.runtimes import ONNXRUNTIME, NotAsked, Runtime, also_asked
from export.targets import TARGETS
from export.verify import run_torch
from hifigan_ref.audio import Recording
from hifigan_ref.errors import HifiError, in_one_line
from hifigan_ref.examples import source_of
from hifigan_ref.input_files import Files, check_files
from hifigan_ref.network import Sizes
from hifigan_ref.source import Source
from hifigan_ref.variant import USUAL, Variant
from hifigan_ref.version import VERSION
from hifigan_ref.views import View

if TYPE_CHECKING:
    from export.interface import Interface
    from hifigan_ref.trained import Trained

Arrays = Mapping[str, NDArray[np.floating]]
Inputs = Mapping[str, NDArray[np.float32]]
Run = Callable[[Inputs], Arrays]
Listen = Callable[[Arrays, Arrays], None]
ELSEWHERE = Skipped("measured in onnxruntime alone")


@dataclass(frozen=True)
class Order:
    """What a report is to be made of.

    Attributes:
        weights: that the file must have been made from.
        recording: speech.
        lengths: of some axes, instead of the usual ones.
        min_snr_db: least SNR of the worst output, dB, instead of what the file promises.
        wav: folder of the audio that networks make, or None.
        inputs: values of some inputs, out of files.

    Raises:
        HifiError: on construction, for a least SNR that is no number.
    """

    weights: Source
    recording: Recording
    lengths: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    min_snr_db: float | None = None
    wav: Path | None = None
    inputs: Files = field(default_factory=dict)

    def __post_init__(self) -> None:
        check_least(self.min_snr_db)


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
        views: how the networks are seen.
    """

    variants: tuple[Variant, ...] = ()
    views: tuple[View, ...] = ()


def run(file: Path | None, chosen: Selection, order: Order) -> tuple[ParityReport, ...]:
    """A report of a file, or of each network.

    Raises:
        HifiError: both were given, or the file, its weights, a length or speech is refused.
    """
    if file is None:
        variants = chosen.variants or tuple(map(Variant, USUAL))
        order.weights.check(variants)
        return tuple(_of_variant(variant, chosen, order) for variant in variants)
    if chosen != Selection():
        raise HifiError(f"{file} and a selection (--period, --outputs, --pair...): give one")
    if artifact.is_foreign(file):
        return (of_foreign(file, order),)
    return in_each_runtime(file, order)


def of_foreign(path: Path, order: Order) -> ParityReport:
    """A file of another tool, as it is, against what it means in float64.

    Raises:
        HifiError: it cannot be read, or an operation of it is not known.
    """
    variant = Variant.parse(str(path))
    order = replace(order, weights=Source.of([variant], order.weights.checkpoint, 0))
    order.weights.check([variant])
    trained = order.weights.build(variant)
    request = ExportRequest(variant)
    like = cached_export(request, order.weights.identity, lambda _: trained)
    content = path.read_bytes()
    itself = replace(like, path=path, sha256=hashlib.sha256(content).hexdigest())
    return report(itself, content, trained, order)


def in_each_runtime(path: Path, order: Order) -> tuple[ParityReport, ...]:
    """A report in onnxruntime, and one in the runtime that the file is for, if it is here.

    Raises:
        HifiError: as ``of_file``.
    """
    first = of_file(path, order)
    manifest = artifact.load(path).manifest
    told = {each.runtime for each in manifest.verified} - {ONNXRUNTIME.name}
    targets = [name for name, target in TARGETS.items() if target.runtime in told]
    targets += [manifest.not_asked.target] if manifest.not_asked else []
    found = [also_asked(target) for target in targets]
    others = [each for each in found if each is not None and not isinstance(each, NotAsked)]
    return (first, *(of_file(path, order, each) for each in others))


def of_file(path: Path, order: Order, runtime: Runtime = ONNXRUNTIME) -> ParityReport:
    """A file of ours against the weights it was made from.

    Args:
        path: of the file.
        order: speech and lengths.
        runtime: what runs it.

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
    return report(loaded, path.read_bytes(), trained, order, runtime)


def _of_variant(variant: Variant, chosen: Selection, order: Order) -> ParityReport:
    """Exported if it is not kept."""
    trained = order.weights.build(variant)
    request = ExportRequest(variant, views=chosen.views)
    exported = cached_export(request, order.weights.identity, lambda _: trained)
    return report(exported, exported.path.read_bytes(), trained, order)


def report(
    file: Artifact,
    content: bytes,
    trained: "Trained",
    order: Order,
    runtime: Runtime = ONNXRUNTIME,
) -> ParityReport:
    """Run every case of a file.

    Args:
        file: what it is.
        content: its bytes.
        trained: the weights that it was made from.
        order: speech and lengths.
        runtime: what runs it.
    """
    check_files(order.inputs, file.request.variant.signature.inputs)
    computers = _computers(file, content, trained, runtime)
    once = runtime is ONNXRUNTIME
    every = every_size(file, order.lengths)
    heard, listen = sound.longest(every), None
    if order.wav:
        sound.check_audio(file.request)
        listen = partial(sound.save, order.wav, file.request, heard, runtime.name)
    return ParityReport(
        schema=SCHEMA,
        tool=f"hifi-export {VERSION}",
        variant=file.manifest.variant,
        file=file.path.name,
        sha256=file.sha256,
        weights=trained.origin,
        weights_digest=trained.digest,
        source=source_of(file.request.variant.signature.inputs, order.recording, order.inputs),
        versions=_versions(runtime),
        budget_db=_budget(file, order),
        cases=tuple(
            _case(computers, each, file, order, listen if each is heard else None) for each in every
        ),
        precision=file.manifest.precision.name,
        layers=layer_noise(file, order.weights, order.recording) if once else ELSEWHERE,
    )


def _budget(file: Artifact, order: Order) -> float:
    return file.manifest.budget_db if order.min_snr_db is None else order.min_snr_db


def _versions(runtime: Runtime) -> dict[str, str]:
    import torch

    return {runtime.name: runtime.version, "torch": str(torch.__version__)}


def _computers(file: Artifact, content: bytes, trained: "Trained", runtime: Runtime) -> _Computers:
    from export.interface import interface

    request = file.request
    double = interface(copy.deepcopy(trained.module).double(), request)

    @cache
    def opened() -> runtimes.Run:
        return runtime.open(content)

    plan = file.manifest.precision
    single = _torch(interface(trained.module, request))
    return _Computers(
        lambda inputs: run_torch(double, {n: a.astype(np.float64) for n, a in inputs.items()}),
        single,
        single if plan.is_float32 else partial(outputs_in, plan, trained, request),
        lambda inputs: _run(runtime, opened, list(file.manifest.outputs), inputs),
    )


def _torch(function: "Interface") -> Run:
    return lambda inputs: run_torch(function, inputs)


def _run(
    runtime: Runtime, opened: Callable[[], runtimes.Run], outputs: Sequence[Port], inputs: Inputs
) -> Arrays:
    try:
        found = opened()(inputs)
    # onnxruntime's exceptions derive from none but Exception
    except Exception as error:  # noqa: BLE001
        raise HifiError(f"{runtime.name} cannot run the file: {in_one_line(error)}") from None
    return {port.name: found[port.name] for port in outputs if port.name in found}


def _case(
    computers: _Computers, sizes: Sizes, file: Artifact, order: Order, listen: Listen | None
) -> ParityCase:
    request, budget_db = file.request, _budget(file, order)
    pair = request.pair
    signature = request.signature
    scored = any(port.role == "score" for port in signature.outputs)
    ports = request.variant.signature.inputs
    both = real_and_generated(order.recording, ports, sizes, order.inputs)
    inputs = [paired(*both)] if pair else list(both if scored else both[:1])
    try:
        found = [computers.found(each) for each in inputs]
    except HifiError as error:
        hole = Skipped(str(error))
        return ParityCase(sizes, hole, hole)
    exact, torch = ([run(each) for each in inputs] for run in (computers.exact, computers.torch))
    own = torch[0] if computers.peer is computers.torch else computers.peer(inputs[0])
    compared = compare(Reference(exact[0], own), found[0], budget_db, signature.audio)
    outputs = tuple(
        OutputCase(parity, _worst(parity.name, exact[0], found[0])) for parity in compared.outputs
    )
    if listen is not None:
        listen(exact[0], found[0])
    if not scored:
        return ParityCase(sizes, outputs, NO_SCORES)
    judged = [meaning.from_pair(*p) if pair else Judged(*p) for p in (exact, torch, found)]
    return ParityCase(sizes, outputs, meaning.changes(*judged))


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
