"""Rows that are picked by their number."""

from typing import Any

import numpy as np
import onnx_ir as ir
import torch
from torch import Tensor

from export.builder import Builder, Constant, Dim, shape_of
from export.operators.operation import Operation, Writer
from export.operators.parts import cut, pieces_of
from export.operators.reach_windows import picked
from export.operators.shape import axis_in, unsqueeze
from hifigan_ref.errors import HifiError


def getitem(graph: Builder, name: str, x: ir.Value, index: Any) -> ir.Value:
    """``x[index]``: numbers, slices, ``...``, ``None`` and one tensor of whole numbers."""
    entries = list(index) if isinstance(index, tuple) else [index]
    rank = len(shape_of(x))
    named = [entry for entry in entries if entry is not None and entry is not Ellipsis]
    if Ellipsis not in [entry for entry in entries if not isinstance(entry, Constant)]:
        entries.append(Ellipsis)
    place = next(i for i, entry in enumerate(entries) if entry is Ellipsis)
    entries[place : place + 1] = [slice(None)] * (rank - len(named))
    axes = iter(range(rank))
    where = [(None if entry is None else next(axes), entry) for entry in entries]
    bounds = {
        axis: entry
        for axis, entry in where
        if axis is not None and isinstance(entry, slice) and entry != slice(None)
    }
    value = cut(graph, name, x, bounds)
    for axis, entry in reversed(where):
        if axis is not None and not isinstance(entry, slice):
            value = _pick(graph, f"{name}.{axis}", value, axis, entry)
    for axis in [i for i, (_, entry) in enumerate(_left_axes(where)) if entry is None]:
        value = unsqueeze(graph, f"{name}.new_{axis}", value, axis)
    return value


def _left_axes(where: list[tuple[int | None, Any]]) -> list[tuple[int | None, Any]]:
    """The axes of what is left: a number takes its axis away."""
    return [each for each in where if not isinstance(each[1], int | Dim)]


def _pick(graph: Builder, name: str, x: ir.Value, axis: int, entry: Any) -> ir.Value:
    shape = shape_of(x)
    if isinstance(entry, bool) or not isinstance(entry, int | Constant):
        raise HifiError(f"{name}: an index of type {type(entry).__name__}: use numbers and slices")
    array = np.asarray(entry.array if isinstance(entry, Constant) else entry)
    if array.dtype.kind not in "iu":
        raise HifiError(f"{name}: an index of {array.dtype} numbers: use whole numbers")
    held = graph.constant(
        f"index_{entry}" if isinstance(entry, int) else entry.name, array.astype(np.int64)
    )
    picked = (*shape[:axis], *array.shape, *shape[axis + 1 :])
    return graph.op(name, "Gather", [x, held], picked, {"axis": axis})


def index_select(graph: Builder, name: str, x: ir.Value, dim: int, index: Constant) -> ir.Value:
    """The rows of these numbers."""
    return _pick(graph, name, x, axis_in(name, dim, len(shape_of(x))), index)


def select(graph: Builder, name: str, x: ir.Value, dim: int, index: int) -> ir.Value:
    """One row, whose axis goes."""
    return _pick(graph, name, x, axis_in(name, dim, len(shape_of(x))), index)


def unbind(graph: Builder, name: str, x: ir.Value, dim: int = 0) -> list[ir.Value]:
    """Every row."""
    axis, count = pieces_of(name, x, dim)
    return [_pick(graph, f"{name}.{i}", x, axis, i) for i in range(count)]


def _gather(x: Tensor, index: Tensor, axis: int = 0) -> Tensor:
    axis %= x.ndim
    if index.ndim == 0:
        return x.select(axis, int(index))
    count = x.shape[axis]
    rows = index.reshape(-1) % count if (index < 0).any() else index.reshape(-1)
    found = torch.index_select(x, axis, rows)
    if index.ndim == 1:
        return found
    return found.reshape((*x.shape[:axis], *index.shape, *x.shape[axis + 1 :]))


PICKED: dict[str, Writer] = {
    "getitem": getitem, "index_select": index_select, "select": select, "unbind": unbind,
}  # fmt: skip

OPERATIONS = (Operation("Gather", _gather, "moving", PICKED, reach=picked),)
