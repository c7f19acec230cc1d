"""An ONNX graph in float64, operation by operation in PyTorch: a judge that shares no code with us.

onnxruntime convolves in float32 only, and onnx's reference has no grouped transposed convolution.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import onnx
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from onnx import helper, numpy_helper


def run(
    proto: onnx.ModelProto, inputs: Mapping[str, NDArray[np.float64]]
) -> dict[str, NDArray[np.float64]]:
    known: dict[str, Any] = {k: torch.tensor(v, dtype=torch.float64) for k, v in inputs.items()}
    for tensor in proto.graph.initializer:
        known[tensor.name] = torch.tensor(numpy_helper.to_array(tensor))
    for node in proto.graph.node:
        attributes = {a.name: helper.get_attribute_value(a) for a in node.attribute}
        arguments = [known[name] for name in node.input]
        known[node.output[0]] = _OPERATIONS[node.op_type](*arguments, **attributes)
    return {value.name: known[value.name].numpy() for value in proto.graph.output}


def _padded(x: Any, pads: Any, rank: int) -> Any:
    flat = [int(pads[i + side * rank]) for i in reversed(range(rank)) for side in (0, 1)]
    return F.pad(x, flat)


def _conv(x: Any, w: Any, b: Any = None, **a: Any) -> Any:
    rank = w.ndim - 2
    x = _padded(x, a.get("pads", [0] * 2 * rank), rank)
    convolve = (F.conv1d, F.conv2d, F.conv3d)[rank - 1]
    one = [1] * rank
    return convolve(
        x,
        w,
        b,
        stride=tuple(a.get("strides", one)),
        dilation=tuple(a.get("dilations", one)),
        groups=a.get("group", 1),
    )


def _conv_transpose(x: Any, w: Any, **a: Any) -> Any:
    rank = w.ndim - 2
    convolve = (F.conv_transpose1d, F.conv_transpose2d, F.conv_transpose3d)[rank - 1]
    y = convolve(x, w, stride=tuple(a.get("strides", [1] * rank)), groups=a.get("group", 1))
    pads = a.get("pads", [0] * 2 * rank)
    return _padded(y, [-pad for pad in pads], rank)


def _pad(x: Any, pads: Any, mode: bytes = b"constant") -> Any:
    count = x.ndim
    flat = [int(pads[i + side * count]) for i in reversed(range(count)) for side in (0, 1)]
    if mode == b"constant":
        return F.pad(x, flat)
    return torch.tensor(
        np.pad(x.numpy(), [(int(pads[i]), int(pads[i + count])) for i in range(count)], "reflect")
    )


def _slice(x: Any, first: Any, last: Any, axes: Any) -> Any:
    index = [slice(None)] * x.ndim
    for start, stop, axis in zip(first, last, axes, strict=True):
        index[int(axis)] = slice(int(start), min(int(stop), x.shape[int(axis)]))
    return x[tuple(index)]


def _reshape(x: Any, sizes: Any) -> Any:
    return x.reshape([x.shape[i] if size == 0 else int(size) for i, size in enumerate(sizes)])


def _gather(x: Any, index: Any, axis: int = 0) -> Any:
    found = torch.index_select(x, axis, index.reshape(-1))
    return found.reshape((*x.shape[:axis], *index.shape, *x.shape[axis + 1 :]))


def _mean(x: Any, kernel_shape: Any, strides: Any, pads: Any, count_include_pad: int) -> Any:
    assert count_include_pad == 1
    return F.avg_pool1d(_padded(x, pads, 1), kernel_shape[0], strides[0])


_OPERATIONS: dict[str, Any] = {
    "Add": torch.add,
    "AveragePool": _mean,
    "Concat": lambda *x, axis: torch.cat(x, axis),
    "Conv": _conv,
    "ConvTranspose": _conv_transpose,
    "Div": lambda a, b: torch.div(a, b, rounding_mode="floor"),
    "Expand": lambda x, sizes: x * torch.ones(sizes.tolist(), dtype=x.dtype),
    "Gather": _gather,
    "LeakyRelu": lambda x, alpha: torch.where(x > 0, x, alpha * x),
    "MatMul": torch.matmul,
    "Mod": torch.remainder,
    "Mul": torch.mul,
    "Neg": torch.neg,
    "Pad": _pad,
    "Range": lambda first, last, step: torch.arange(int(first), int(last), int(step)),
    "Reshape": _reshape,
    "Shape": lambda x: torch.tensor(x.shape),
    "Slice": _slice,
    "Transpose": lambda x, perm: x.permute(perm),
}
