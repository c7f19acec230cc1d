"""Whole graphs at short and at odd lengths, in runtimes, beside PyTorch in float64.

Over a handful of values an SNR is chance: where all of a score's two values happen to be near zero,
what rounding leaves is as large as ever. So an error is held against the level that an output
usually has, where its own is lower.
"""

import copy
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from export.artifact import bare
from export.hops import hops
from export.lowering.plan import DEFAULT, NONE, has_plan, plan_of
from export.precision.budget import PRECISIONS
from export.request import ExportRequest
from export.runtimes import Arrays, Run, Runtime, on_cpu
from export.sums import power_of, ratio_db
from export.verify import example_inputs, run_in_float64
from hifigan_ref.seeded import Seeded
from hifigan_ref.variant import Variant

if TYPE_CHECKING:
    from torch import nn

    from export.interface import Interface

Levels = Mapping[str, float]
"""Mean squares of outputs."""

BAR_DB = PRECISIONS["fp32"].budget_db
EVERY, LONGEST = 40, 1300  # every length up to one, some up to the other
PLACES = (150, 700)  # from which on every residue of 11, and so of all periods, comes once
BATCHES = (1, 3)


@dataclass(frozen=True)
class Row:
    """A file in a runtime.

    Attributes:
        variant: of the network.
        backend: that the file is for.
        runtime: with its version.
        plan: of rewrites: ``none`` or ``default``.
        fixed: whether the file is of fixed shapes.
        lengths: how many were run.
        snr_db: of the worst output, dB.
        output: its name.
        batch: N there.
        samples: T there.
    """

    variant: str
    backend: str
    runtime: str
    plan: str
    fixed: bool
    lengths: int
    snr_db: float
    output: str
    batch: int
    samples: int


@dataclass(frozen=True)
class Worst:
    """The worst output of some runs."""

    snr_db: float
    output: str
    batch: int
    samples: int


@dataclass(frozen=True)
class File:
    """A graph for a backend."""

    backend: str
    runtime: Runtime
    plan: str
    request: ExportRequest


def rows_of(variant: Variant, backends: Sequence[str]) -> Iterator[Row]:
    """Every file of a network with dynamic axes, then with a few fixed ones."""
    from export.interface import interface

    network = Seeded(0).build(variant).module
    function = interface(network, ExportRequest(variant))
    lengths = lengths_of(variant)
    files = files_of(variant, backends)
    runs = [file.runtime.open(content_of(network, file.request)) for file in files]
    usual = {name: power_of(array) for name, array in _reference(function, 3, LONGEST)[1].items()}
    worst = _dynamic(function, runs, lengths, usual)
    for file, each in zip(files, worst, strict=True):
        yield _row(variant, file, False, len(lengths), each)
    few = tuple(dict.fromkeys(lengths[place] for place in (0, 1, 4, len(lengths) // 2)))
    for file in files:
        each = min(
            (_fixed(function, network, file, samples, usual) for samples in few),
            key=lambda found: found.snr_db,
        )
        yield _row(variant, file, True, len(few), each)


def lengths_of(variant: Variant) -> tuple[int, ...]:
    """Every short length, every residue in other places, and both ends of every inner width."""
    first = variant.signature.axes["samples"].smallest
    found = {*range(first, EVERY + 1), LONGEST}
    for place in PLACES:
        found |= set(range(place, place + 11))
    for part in variant.apart():
        hop = int(hops(part.network.build(part.members()), ExportRequest(part))["samples"])
        ends = range(hop, LONGEST, hop)
        found |= {*ends, *(end + 1 for end in ends)}
    return tuple(sorted(samples for samples in found if first <= samples <= LONGEST))


def files_of(variant: Variant, backends: Sequence[str]) -> list[File]:
    """As exported and by the default plan, for each backend."""
    found = []
    for backend in backends:
        runtime = on_cpu(backend)
        assert runtime is not None, f"{backend} is not of this CPU"
        for plan in (NONE, DEFAULT):
            if has_plan(plan, backend):
                lowering = plan_of(plan, backend)
                request = ExportRequest(variant, lowering=lowering, target=backend)
                found.append(File(backend, runtime, plan, request))
    return found


def content_of(network: "nn.Module", request: ExportRequest) -> bytes:
    """The graph as an export writes it."""
    from export.fold import fold
    from export.lowering.lower import lower
    from export.to_onnx import to_onnx

    folded = copy.deepcopy(network)
    fold(folded)
    model = to_onnx(folded, request)
    forms = request.lowering.forms(request.variant)
    return bare(lower(model, forms) if forms else model)


def _dynamic(
    function: "Interface", runs: Sequence[Run], lengths: Sequence[int], usual: Levels
) -> list[Worst]:
    """The worst of each run; PyTorch computes the largest batch, whose items are independent."""
    worst = [Worst(float("inf"), "", 0, 0)] * len(runs)
    for samples in lengths:
        inputs, exact = _reference(function, max(BATCHES), samples)
        for place, run in enumerate(runs):
            for batch in BATCHES:
                found = _compared(run, inputs, exact, batch, usual)
                worst[place] = min(worst[place], found, key=lambda each: each.snr_db)
    return worst


def _fixed(
    function: "Interface", network: "nn.Module", file: File, samples: int, usual: Levels
) -> Worst:
    """A file of one shape, which the runtime knows ahead."""
    request = replace(file.request, sizes={"batch": 1, "samples": samples})
    run = file.runtime.open(content_of(network, request))
    inputs, exact = _reference(function, 1, samples)
    return _compared(run, inputs, exact, 1, usual)


def _reference(function: "Interface", batch: int, samples: int) -> tuple[Arrays, Arrays]:
    inputs = example_inputs(ExportRequest(Variant("msd")), {"batch": batch, "samples": samples})
    return inputs, run_in_float64(function, inputs)


def _compared(run: Run, inputs: Arrays, exact: Arrays, batch: int, usual: Levels) -> Worst:
    found = run({name: array[:batch] for name, array in inputs.items()})
    ratios = {
        name: ratio_db(array[:batch], found.get(name), usual[name]) for name, array in exact.items()
    }
    output = min(ratios, key=lambda name: ratios[name])
    (*_, samples) = next(iter(inputs.values())).shape
    return Worst(ratios[output], output, batch, samples)


def _row(variant: Variant, file: File, fixed: bool, lengths: int, worst: Worst) -> Row:
    runtime = f"{file.runtime.name} {file.runtime.version}"
    told = (worst.snr_db, worst.output, worst.batch, worst.samples)
    return Row(str(variant), file.backend, runtime, file.plan, fixed, lengths, *told)
