"""What stands around the numbers of a tensor."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx_ir as ir
import torch
import torch.nn.functional as F
from torch import Tensor

from export.builder import Builder, Dim, Operand, shape_of
from export.operators.operation import Operation
from export.operators.parts import cat, cut
from export.operators.reach_windows import padding
from export.operators.shapes import added
from export.operators.vector import Lengths
from hifigan_ref.errors import HifiError

MODES = {"constant": "constant", "reflect": "reflect", "replicate": "edge"}
Amounts = Sequence[int | Dim]


def pad(
    graph: Builder,
    name: str,
    x: ir.Value,
    pad: Amounts,
    mode: str = "constant",
    value: float | None = None,
) -> ir.Value:
    """(before, after) of the last axis, then of the one before it; nothing at all for zeros."""
    shape = shape_of(x)
    pairs = [(pad[i], pad[i + 1]) for i in range(0, len(pad), 2)]
    around = [(0, 0)] * (len(shape) - len(pairs)) + pairs[::-1]
    if all(pair == (0, 0) for pair in pairs):
        return x
    if mode == "circular":
        return _circular(graph, name, x, around)
    if mode not in MODES:
        raise HifiError(f"{name}: pad mode {mode!r}: choose from {', '.join([*MODES, 'circular'])}")
    if mode != "constant" and any(isinstance(p, int) and p < 0 for p in pad):
        raise HifiError(f"{name}: a negative {mode} pad: cut the tensor with a slice instead")
    pads = graph.vector(name, [pair[side] for side in (0, 1) for pair in around])
    padded = [
        n if p == (0, 0) else added(p[0], n, p[1]) for n, p in zip(shape, around, strict=True)
    ]
    filled = [graph.given(value)] if mode == "constant" and value else []
    attributes = {"mode": MODES[mode]}
    return graph.op(name, "Pad", [x, pads, *filled], padded, attributes)


def _circular(
    graph: Builder, name: str, x: ir.Value, around: Sequence[tuple[int | Dim, int | Dim]]
) -> ir.Value:
    """The end in front and the beginning behind: ``Pad`` wraps from opset 19 on only."""
    for axis, (before, after) in enumerate(around):
        if not (isinstance(before, int) and isinstance(after, int)) or min(before, after) < 0:
            raise HifiError(f"{name}: a circular pad by a computed or negative length: use numbers")
        parts: list[Operand] = [x]
        if before:
            parts.insert(0, cut(graph, f"{name}.{axis}_before", x, {axis: slice(-before, None)}))
        if after:
            parts.append(cut(graph, f"{name}.{axis}_after", x, {axis: slice(0, after)}))
        x = cat(graph, f"{name}.{axis}", parts, axis) if len(parts) > 1 else x
    return x


def _pad(
    x: Tensor,
    pads: Lengths,
    value: Tensor | None = None,
    axes: Tensor | None = None,
    mode: str = "constant",
) -> Tensor:
    places = range(x.ndim) if axes is None else [axis % x.ndim for axis in axes.tolist()]
    amounts = pads.tolist()
    around: list[tuple[Any, Any]] = [(0, 0)] * x.ndim
    for i, axis in enumerate(places):
        around[axis] = (amounts[i], amounts[i + len(places)])
    if mode == "constant":
        return F.pad(x, _flat(around), value=0.0 if value is None else value.item())
    if any(isinstance(each, int) and each < 0 for pair in around for each in pair):
        x = x[tuple(_kept(pair) for pair in around)]
        around = [(max(a, 0), max(b, 0)) for a, b in around]
    flat = _flat(around)
    if x.ndim - len(flat) // 2 in {1, 2}:
        return F.pad(x, flat, TORCHS[mode])
    return torch.from_numpy(np.pad(x.numpy(), around, mode))  # type: ignore[call-overload]


def _flat(around: Sequence[tuple[Any, Any]]) -> list[Any]:
    """(before, after) from the last axis to the first that is padded."""
    padded = [not (isinstance(a, int) and isinstance(b, int) and a == b == 0) for a, b in around]
    first = padded.index(True) if any(padded) else len(around)
    return [each for pair in reversed(around[first:]) for each in pair]


def _kept(pair: tuple[int, int]) -> slice:
    before, after = pair
    return slice(max(-before, 0), min(after, 0) or None)


TORCHS = {onnx: torch for torch, onnx in MODES.items()} | {"wrap": "circular"}

OPERATIONS = (Operation("Pad", _pad, "moving", {"pad": pad}, reach=padding),)
