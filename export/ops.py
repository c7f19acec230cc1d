"""The ONNX form of each PyTorch operation that the reference networks use.

To support another operation, write its form here. An operation without one is an error: nothing
is approximated.
"""

import operator
from collections.abc import Callable, Sequence
from typing import Any

import onnx_ir as ir
import torch
import torch.nn.functional as F
from torch import nn

from export.builder import Attribute, Builder, Dim, Extent, ShapeOf, shape_of
from export.fold import is_plain

END = 2**63 - 1


def conv(graph: Builder, name: str, layer: nn.Conv1d | nn.Conv2d, x: ir.Value) -> ir.Value:
    """(N, C_in / ..., *S) -> (N, C_out, *S')."""
    assert is_plain(layer), f"{name}: fold the norms first"
    assert layer.padding_mode == "zeros" and not isinstance(layer.padding, str), name
    assert layer.bias is not None, name
    inputs = [x, graph.weight(f"{name}.weight", layer.weight.detach().numpy())]
    inputs.append(graph.weight(f"{name}.bias", layer.bias.detach().numpy()))
    attributes: dict[str, Attribute] = {
        "kernel_shape": layer.kernel_size,
        "strides": layer.stride,
        "pads": (*layer.padding, *layer.padding),
        "dilations": layer.dilation,
        "group": layer.groups,
    }
    spans = [d * (k - 1) + 1 for d, k in zip(layer.dilation, layer.kernel_size, strict=True)]
    spatial = _windows(shape_of(x)[2:], spans, layer.stride, layer.padding)
    return graph.op(
        name, "Conv", inputs, (shape_of(x)[0], layer.out_channels, *spatial), attributes
    )


def avg_pool(graph: Builder, name: str, layer: nn.AvgPool1d, x: ir.Value) -> ir.Value:
    """(N, C, T) -> (N, C, T'), zeros of the padding counted in the mean."""
    size, stride, padding = map(_single, (layer.kernel_size, layer.stride, layer.padding))
    attributes: dict[str, Attribute] = {
        "kernel_shape": size,
        "strides": stride,
        "pads": (*padding, *padding),
        "count_include_pad": int(layer.count_include_pad),
    }
    assert not layer.ceil_mode, name
    n, c, *spatial = shape_of(x)
    lengths = _windows(spatial, size, stride, padding)
    return graph.op(name, "AveragePool", [x], (n, c, *lengths), attributes)


def leaky_relu(
    graph: Builder, name: str, x: ir.Value, negative_slope: float, inplace: bool = False
) -> ir.Value:
    """Same shape."""
    del inplace
    return graph.op(name, "LeakyRelu", [x], shape_of(x), {"alpha": negative_slope})


def pad(
    graph: Builder,
    name: str,
    x: ir.Value,
    amounts: Sequence[int | Dim],
    mode: str = "constant",
    value: float | None = None,
) -> ir.Value:
    """Reflect padding of the last axis by (before, after); nothing at all for (0, 0)."""
    assert mode == "reflect" and len(amounts) == 2 and value is None, name
    before, after = amounts
    if before == 0 and after == 0:
        return x
    *outer, length = shape_of(x)
    untouched = [0] * len(outer)
    pads = graph.vector(name, [*untouched, before, *untouched, after])
    fixed = isinstance(length, int) and isinstance(before, int) and isinstance(after, int)
    padded = before + length + after if fixed else None  # type: ignore[operator]
    return graph.op(name, "Pad", [x, pads], (*outer, padded), {"mode": mode})


def unflatten(graph: Builder, name: str, x: ir.Value, axis: int, sizes: Sequence[int]) -> ir.Value:
    """(..., L) -> (..., L / p, p) for sizes (-1, p)."""
    assert axis == -1 and len(sizes) == 2 and sizes[0] == -1, name
    *outer, length = shape_of(x)
    rows = length // sizes[1] if isinstance(length, int) else None
    shape = graph.ints(*(0 for _ in outer), *sizes)
    return graph.op(name, "Reshape", [x, shape], (*outer, rows, sizes[1]))


def flatten(graph: Builder, name: str, x: ir.Value, start_dim: int, end_dim: int = -1) -> ir.Value:
    """(N, ...) -> (N, L)."""
    assert start_dim == 1 and end_dim == -1, name
    n, *rest = shape_of(x)
    length: Extent = 1
    for extent in rest:
        length = length * extent if isinstance(length, int) and isinstance(extent, int) else None
    return graph.op(name, "Reshape", [x, graph.ints(0, -1)], (n, length))


def cat(graph: Builder, name: str, tensors: Sequence[ir.Value], dim: int = 0) -> ir.Value:
    """Along the batch."""
    assert dim == 0, name
    counts = [shape_of(tensor)[0] for tensor in tensors]
    fixed = [count for count in counts if isinstance(count, int)]
    total = sum(fixed) if len(fixed) == len(counts) else None
    return graph.op(name, "Concat", tensors, (total, *shape_of(tensors[0])[1:]), {"axis": 0})


def getitem(graph: Builder, name: str, x: ir.Value | ShapeOf, index: Any) -> Any:
    """One axis of a shape, or rows ``[first:last]`` of a tensor."""
    if isinstance(x, ShapeOf):
        return graph.extent(x.value, index)
    assert isinstance(index, slice) and index.step is None, name
    first = 0 if index.start is None else index.start
    last = END if index.stop is None else index.stop
    bounds = [
        graph.vector(f"{name}_{edge}", [at]) for edge, at in (("first", first), ("last", last))
    ]
    count = shape_of(x)[0]
    rows = len(range(count)[first:last]) if isinstance(count, int) else None
    return graph.op(name, "Slice", [x, *bounds, graph.ints(0)], (rows, *shape_of(x)[1:]))


def get_attribute(_graph: Builder, name: str, x: ir.Value, attribute: str) -> ShapeOf:
    """``x.shape``."""
    assert attribute == "shape", f"{name}: only .shape is known of a tensor"
    return ShapeOf(x)


def negative(graph: Builder, name: str, x: int | Dim) -> int | Dim:
    """-x of a length."""
    return -x if isinstance(x, int) else graph.integer(name, "Neg", [x.value])


def modulo(graph: Builder, name: str, x: int | Dim, divisor: int) -> int | Dim:
    """x mod divisor with Python's sign, which is also that of ONNX's integer Mod."""
    if isinstance(x, int):
        return x % divisor
    return graph.integer(name, "Mod", [x.value, graph.ints(divisor)])


def _single(value: int | tuple[int]) -> tuple[int]:
    return (value,) if isinstance(value, int) else value


def _windows(
    lengths: Sequence[Extent], spans: Sequence[int], strides: Sequence[int], pads: Sequence[int]
) -> list[int | None]:
    """Number of window positions along each axis."""
    return [
        (length + 2 * p - span) // stride + 1 if isinstance(length, int) else None
        for length, span, stride, p in zip(lengths, spans, strides, pads, strict=True)
    ]


FUNCTIONS: dict[Callable[..., Any] | str, Callable[..., Any]] = {
    F.leaky_relu: leaky_relu,
    F.pad: pad,
    torch.flatten: flatten,
    torch.cat: cat,
    "unflatten": unflatten,
    getattr: get_attribute,
    operator.getitem: getitem,
    operator.neg: negative,
    operator.mod: modulo,
}

MODULES: dict[type[nn.Module], Callable[..., ir.Value]] = {
    nn.Conv1d: conv,
    nn.Conv2d: conv,
    nn.AvgPool1d: avg_pool,
}
