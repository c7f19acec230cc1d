"""The files that compute a signal, one for each way and chunk."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np

from bench.choice import Choice, choose
from bench.player import Pace
from bench.stream.whole_signal import Arrays, Signal, flops_at
from bench.streaming_record import Way
from export.artifact import Artifact
from export.cache import cached_export
from export.request import ExportRequest
from export.stream_record import ChunkPlan

if TYPE_CHECKING:
    import onnx_ir as ir


@dataclass(frozen=True)
class File:
    """A file, and how a backend is given a signal by it.

    Attributes:
        backend: as typed.
        way: how the signal is computed.
        request: of the graph.
        artifact: the file.
        pace: of its calls.
        left: elements in front of its chunk that a call takes.
        ends: names of the inputs that say where the signal ends.
        states: zeros of one item for each state, by name.
        lengths: of the axis of time, where the file takes any.
        flops: of a call, on one item.
    """

    backend: str
    way: Way
    request: ExportRequest
    artifact: Artifact
    pace: Pace
    left: int
    ends: tuple[str, ...]
    states: Arrays
    lengths: Mapping[str, int]
    flops: int

    @property
    def choice(self) -> Choice:
        """What the backend was asked for."""
        return choose(self.backend)

    @property
    def promised(self) -> bool:
        """Whether its chunks are to be the whole signal."""
        return self.way != "window"

    @property
    def label(self) -> str:
        """``ort-cpu, state, chunks of 8``."""
        chunks = "" if self.way == "whole" else f", chunks of {self.pace.chunk}"
        return f"{self.backend}, {self.way}{chunks}"


def files_of(signal: Signal, backend: str) -> Iterator[File]:
    """Export, or find, what a backend needs: the whole first.

    Raises:
        HifiError: a chunk does not fit the network, or an export is refused.
    """
    wish = signal.wish
    request = wish.request(choose(backend))
    whole = cached_export(request, wish.weights.identity, wish.weights.build)
    yield _usual(signal, backend, request, whole, None)
    for chunk in wish.chunks:
        yield _usual(signal, backend, request, whole, chunk)
        for stateful in (False, True):
            plan = ChunkPlan(chunk, stateful=stateful)
            file = cached_export(request, wish.weights.identity, wish.weights.build, plan)
            yield _chunked(signal, backend, request, file)


def _usual(
    signal: Signal, backend: str, request: ExportRequest, file: Artifact, chunk: int | None
) -> File:
    """The whole network's file, on all of the signal or on windows of it."""
    way: Way = "whole"
    left, size, pace = 0, signal.length, Pace(signal.length, 0, 0.0, signal.length)
    if chunk is not None:
        grain = signal.field.grain
        # so that each window begins where the network's strides do
        left, right = (-(-side // grain) * grain for side in signal.needed)
        way, size, pace = "window", left + chunk + right, Pace(chunk, right, 0.0, signal.length)
    lengths = {signal.unit: size}
    flops = flops_at(signal.model, lengths)
    return File(backend, way, request, file, pace, left, (), {}, lengths, flops)


def _chunked(signal: Signal, backend: str, request: ExportRequest, file: Artifact) -> File:
    import onnx_ir as ir

    from export.stream_record import PAST, REMAINING

    stream = file.manifest.stream
    assert stream is not None
    model = ir.load(file.path)
    flops = flops_at(model, {})
    if stream.delays is None:
        pace = Pace(stream.chunk, stream.right, 0.0, signal.length)
        ends: tuple[str, ...] = (PAST, REMAINING)
        return File(backend, "context", request, file, pace, stream.left, ends, {}, {}, flops)
    late = max(Fraction(d) / Fraction(*stream.factors[n]) for n, d in stream.delays.items())
    pace = Pace(stream.chunk, 0, float(late), signal.length)
    states = _states(model)
    return File(backend, "state", request, file, pace, 0, (REMAINING,), states, {}, flops)


def _states(model: "ir.Model") -> Arrays:
    from export.builder import shape_of
    from export.stream_record import STATE

    found = [v for v in model.graph.inputs if str(v.name).startswith(STATE)]
    shapes = {str(v.name): [int(each) for each in shape_of(v)[1:]] for v in found}  # type: ignore[arg-type]
    kinds = {str(v.name): v.dtype.numpy() for v in found if v.dtype is not None}
    return {name: np.zeros((1, *shapes[name]), kinds[name]) for name in kinds}
