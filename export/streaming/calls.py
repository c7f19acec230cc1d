"""A chunk file, called chunk by chunk, and what its calls make of a signal."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from export.evaluate import evaluate
from export.request import ExportRequest
from export.stream_record import NEXT, PAST, REMAINING, Streamed
from hifigan_ref.network import Axis, Port

Array = NDArray[np.floating]
Arrays = Mapping[str, Array]
NOISE = 7  # seed of what lies outside of a signal


class Runs(Protocol):
    """A chunk file that is open."""

    def run(self, inputs: Arrays) -> Arrays:
        """Its outputs."""


@dataclass(frozen=True)
class Exactly:
    """A chunk's graph in float64.

    Attributes:
        model: of operations in the table.
    """

    model: ir.Model

    def run(self, inputs: Arrays) -> Arrays:
        """Its outputs."""
        return evaluate(self.model, inputs)


@dataclass(frozen=True)
class Cut:
    """What a chunk file takes and gives.

    Attributes:
        stream: what it says of itself.
        axes: of time in each output.
        states: those that it takes first, of one item, by name.
    """

    stream: Streamed
    axes: Mapping[str, int]
    states: Arrays


def outputs(
    file: Runs, cut: Cut, request: ExportRequest, inputs: dict[str, Array], length: int
) -> Iterator[tuple[int, dict[str, Array]]]:
    """Where each chunk begins, and its outputs."""
    chunks = _chunks(cut.stream, request, inputs, length)
    if cut.stream.delays is None:
        for first, part in chunks:
            yield first, dict(file.run(part))
        return
    whole = _joined(file, cut, (part for _, part in chunks))
    for first in range(0, length, cut.stream.chunk):
        yield first, {name: _of(whole[name], name, cut, first) for name in whole}


def together(chunks: Iterator[tuple[int, dict[str, Array]]], cut: Cut) -> dict[str, Array]:
    """Outputs of all chunks, one behind the other."""
    found = [outputs for _, outputs in chunks]
    return {name: np.concatenate([e[name] for e in found], axis) for name, axis in cut.axes.items()}


def _joined(file: Runs, cut: Cut, chunks: Iterator[dict[str, Array]]) -> dict[str, Array]:
    """Outputs of chunks that take over from one another, one behind the other."""
    states: dict[str, Array] | None = None
    made: dict[str, list[Array]] = {name: [] for name in cut.axes}
    for part in chunks:
        if states is None:
            items = len(part[REMAINING])
            states = {name: np.repeat(zeros, items, 0) for name, zeros in cut.states.items()}
        found = file.run({**part, **states})
        states = {name: found[f"{NEXT}{name}"] for name in states}
        for name, arrays in made.items():
            arrays.append(found[name])
    return {name: np.concatenate(arrays, cut.axes[name]) for name, arrays in made.items()}


def _of(array: Array, name: str, cut: Cut, first: int) -> Array:
    """A chunk of an output, which is late."""
    stream = cut.stream
    assert stream.delays is not None
    times, by = stream.factors[name]
    begin = stream.delays[name] + first * times // by
    end = min(begin + stream.chunk * times // by, array.shape[cut.axes[name]])
    return array.take(range(begin, end), cut.axes[name])


def _chunks(
    stream: Streamed, request: ExportRequest, inputs: dict[str, Array], length: int
) -> Iterator[tuple[int, dict[str, Array]]]:
    """Where each chunk begins, and what goes in; behind the signal, until everything is out."""
    noise = np.random.default_rng(NOISE)
    ports = {port.name: port for port in request.signature.inputs}
    wide = {name: _wider(array, ports[name], stream, noise) for name, array in inputs.items()}
    items = len(next(iter(inputs.values())))
    size = stream.taken
    flushed = 0 if stream.delays is None else stream.late
    for first in range(0, length + flushed, stream.chunk):
        ends = {REMAINING: length - first}
        if stream.delays is None:
            ends[PAST] = first
        part: dict[str, Array] = {n: np.full(items, place) for n, place in ends.items()}
        for name, array in wide.items():
            axis = _time(ports[name], stream.unit)
            cut = [slice(None)] * array.ndim
            if axis is not None:
                cut[axis] = slice(first, first + size)
            part[name] = np.ascontiguousarray(array[tuple(cut)])
        yield first, part


def _wider(array: Array, port: Port, stream: Streamed, noise: np.random.Generator) -> Array:
    axis = _time(port, stream.unit)
    if axis is None:
        return array
    sides = []
    for count in (stream.left, stream.chunk + stream.late):
        shape = [*array.shape[:axis], count, *array.shape[axis + 1 :]]
        sides.append(noise.standard_normal(shape).astype(array.dtype))
    return np.concatenate([sides[0], array, sides[1]], axis)


def _time(port: Port, unit: str) -> int | None:
    names = [each.name if isinstance(each, Axis) else "" for each in port.shape]
    return names.index(unit) if unit in names else None
