"""Windows of a tensor in one number: means and maxima."""

from collections.abc import Callable, Sequence
from typing import Any

import onnx_ir as ir
import torch
import torch.nn.functional as F
from torch import Tensor

from export.builder import Attribute, Builder, shape_of
from export.operators.operation import Operation, Writer
from export.operators.reach import everything
from export.operators.reach_windows import pool as pool_reach
from export.operators.shapes import each_axis, windows
from hifigan_ref.errors import HifiError

Amount = int | Sequence[int]


def _rank(name: str, x: ir.Value, rank: int) -> None:
    if len(shape_of(x)) != rank + 2:
        raise HifiError(f"{name}: a tensor of {len(shape_of(x))} axes: it takes {rank + 2}")


def avg_pool(rank: int) -> Writer:
    """(N, C, *S) -> (N, C, *S')."""

    def write(
        graph: Builder,
        name: str,
        x: ir.Value,
        kernel_size: Amount,
        stride: Amount | None = None,
        padding: Amount = 0,
        ceil_mode: bool = False,
        count_include_pad: bool = True,
        divisor_override: int | None = None,
    ) -> ir.Value:
        _rank(name, x, rank)
        if ceil_mode or divisor_override is not None:
            raise HifiError(f"{name}: ceil_mode and divisor_override have no ONNX form here")
        counted: dict[str, Attribute] = {"count_include_pad": int(count_include_pad)}
        return _pool(graph, name, "AveragePool", x, kernel_size, stride, padding, 1, counted)

    return write


def max_pool(rank: int) -> Writer:
    """(N, C, *S) -> (N, C, *S')."""

    def write(
        graph: Builder,
        name: str,
        x: ir.Value,
        kernel_size: Amount,
        stride: Amount | None = None,
        padding: Amount = 0,
        dilation: Amount = 1,
        ceil_mode: bool = False,
        return_indices: bool = False,
    ) -> ir.Value:
        _rank(name, x, rank)
        if ceil_mode or return_indices:
            raise HifiError(f"{name}: ceil_mode and return_indices have no ONNX form here")
        spread: dict[str, Attribute] = {"dilations": each_axis(dilation, rank)}
        return _pool(graph, name, "MaxPool", x, kernel_size, stride, padding, dilation, spread)

    return write


def _pool(
    graph: Builder,
    name: str,
    op_type: str,
    x: ir.Value,
    kernel_size: Amount,
    stride: Amount | None,
    padding: Amount,
    dilation: Amount,
    more: dict[str, Attribute],
) -> ir.Value:
    n, c, *lengths = shape_of(x)
    rank = len(lengths)
    size, strides, pads, dilations = (
        each_axis(each, rank) for each in (kernel_size, stride or kernel_size, padding, dilation)
    )
    attributes: dict[str, Attribute] = {
        "kernel_shape": size,
        "strides": strides,
        "pads": (*pads, *pads),
        **more,
    }
    spans = [d * (k - 1) + 1 for d, k in zip(dilations, size, strict=True)]
    pooled = windows(lengths, spans, strides, [(p, p) for p in pads])
    return graph.op(name, op_type, [x], (n, c, *pooled), attributes)


def adaptive(op_type: str) -> Writer:
    """(N, C, *S) -> (N, C, 1...): everything in one number."""

    def write(
        graph: Builder, name: str, x: ir.Value, output_size: Amount, return_indices: bool = False
    ) -> ir.Value:
        shape = shape_of(x)
        if return_indices or set(each_axis(output_size, 1)) != {1}:
            raise HifiError(
                f"{name}: an adaptive pool to {output_size}: only to 1 has an ONNX form"
            )
        return graph.op(name, op_type, [x], (*shape[:2], *[1] * (len(shape) - 2)))

    return write


def _padded(x: Tensor, pads: Sequence[int], fill: float) -> Tensor:
    rank = len(pads) // 2
    flat = [p for i in reversed(range(rank)) for p in (pads[i], pads[rank + i])]
    return F.pad(x, flat, value=fill)


def _plain(attributes: dict[str, Any]) -> None:
    if attributes.get("ceil_mode", 0) or attributes.get("auto_pad", "NOTSET") != "NOTSET":
        raise HifiError("a pool with ceil_mode or auto_pad is not evaluated here")


def _average_pool(x: Tensor, **attributes: Any) -> Tensor:
    _plain(attributes)
    size = tuple(attributes["kernel_shape"])
    rank = len(size)
    if set(attributes.get("dilations", [1])) != {1}:
        raise HifiError("AveragePool with dilations is not evaluated here")
    pool = (F.avg_pool1d, F.avg_pool2d, F.avg_pool3d)[rank - 1]
    strides = tuple(attributes.get("strides", [1] * rank))
    pads = attributes.get("pads", [0] * (2 * rank))
    counted = float(attributes.get("count_include_pad", 0))
    if _symmetric(pads):
        return pool(x, size, strides, tuple(pads[:rank]), count_include_pad=bool(counted))
    there = _padded(torch.ones_like(x), pads, counted)
    return pool(_padded(x, pads, 0.0), size, strides) / pool(there, size, strides)


def _max_pool(x: Tensor, **attributes: Any) -> Tensor:
    _plain(attributes)
    size = tuple(attributes["kernel_shape"])
    rank = len(size)
    pool: Callable[..., Tensor] = (F.max_pool1d, F.max_pool2d, F.max_pool3d)[rank - 1]
    pads = attributes.get("pads", [0] * (2 * rank))
    strides, dilations = (
        tuple(attributes.get(name, [1] * rank)) for name in ("strides", "dilations")
    )
    if _symmetric(pads):
        return pool(x, size, strides, tuple(pads[:rank]), dilations)
    return pool(_padded(x, pads, -torch.inf), size, strides, dilation=dilations)


def _symmetric(pads: Sequence[int]) -> bool:
    """As much in front of each axis as behind it."""
    return pads[: len(pads) // 2] == pads[len(pads) // 2 :]


def _everything(function: Callable[..., Tensor]) -> Callable[[Tensor], Tensor]:
    return lambda x: function(x, tuple(range(2, x.ndim)), keepdim=True)


def _spatial(function: str, writer: Callable[[int], Writer]) -> dict[str, Writer]:
    return {f"{function}{rank}d": writer(rank) for rank in (1, 2, 3)}


MEAN, MAX = adaptive("GlobalAveragePool"), adaptive("GlobalMaxPool")

OPERATIONS = (
    Operation("AveragePool", _average_pool, "other", _spatial("avg_pool", avg_pool),
              reach=pool_reach),
    Operation("MaxPool", _max_pool, "other", _spatial("max_pool", max_pool), reach=pool_reach),
    Operation("GlobalAveragePool", _everything(torch.mean), "other",
              _spatial("adaptive_avg_pool", lambda _: MEAN), reach=everything),
    Operation("GlobalMaxPool", _everything(torch.amax), "other",
              _spatial("adaptive_max_pool", lambda _: MAX), reach=everything),
)  # fmt: skip
