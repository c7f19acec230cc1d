"""One convolution, free of its graph: what a rewrite takes and what it leaves.

Weights are kept in float64, so that rewrites may follow each other and round once, at the end.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from export.builder import Attribute, Builder, Extent, shape_of

PLAIN, TRANSPOSED = "Conv", "ConvTranspose"


@dataclass(frozen=True, eq=False)
class Convolution:
    """A ``Conv`` or a ``ConvTranspose`` node whose weights are constants.

    Attributes:
        name: of the node.
        weight: (C_out, C_in / group, *K).
        bias: (C_out), or None.
        strides: one per spatial axis, like the rest.
        dilations: distance of taps.
        before: zeros in front; of a transposed one, outputs that are dropped there.
        after: the same behind.
        group: number of groups.
        transposed: whether a stride makes so many outputs of each input; its weight stands here as
            that of an ordinary one does, out before in.
    """

    name: str
    weight: NDArray[np.float64]
    bias: NDArray[np.float64] | None
    strides: tuple[int, ...]
    dilations: tuple[int, ...]
    before: tuple[int, ...]
    after: tuple[int, ...]
    group: int
    transposed: bool = False

    @property
    def kernel(self) -> tuple[int, ...]:
        """Taps along each spatial axis."""
        return tuple(self.weight.shape[2:])

    @property
    def axis(self) -> int | None:
        """The only spatial axis along which anything happens; None if there are more.

        The longest one where nothing happens along any.
        """
        busy = [
            i
            for i, (taps, stride, before, after) in enumerate(
                zip(self.kernel, self.strides, self.before, self.after, strict=True)
            )
            if (taps, stride, before, after) != (1, 1, 0, 0)
        ]
        return None if len(busy) > 1 else (busy or [0])[0]

    @property
    def channels(self) -> tuple[int, int]:
        """In and out."""
        return self.weight.shape[1] * self.group, self.weight.shape[0]

    def length(self, axis: int, extent: Extent) -> int | None:
        """Number of outputs along an axis of that length; None where it is dynamic."""
        if not isinstance(extent, int):
            return None
        span = self.dilations[axis] * (self.kernel[axis] - 1) + 1
        if self.transposed:
            whole = (extent - 1) * self.strides[axis] + span
            return whole - self.before[axis] - self.after[axis]
        return (extent + self.before[axis] + self.after[axis] - span) // self.strides[axis] + 1

    def at(self, axis: int, **values: int) -> dict[str, Any]:
        """The named fields with another value at one axis, for ``dataclasses.replace``."""
        changed = {}
        for name, value in values.items():
            old: tuple[int, ...] = getattr(self, name)
            changed[name] = (*old[:axis], value, *old[axis + 1 :])
        return changed


def is_convolution(node: ir.Node) -> bool:
    """Whether ``read`` takes a node: one of these operations, with a constant weight."""
    constant = all(v is None or v.const_value is not None for v in node.inputs[1:])
    return node.op_type in {PLAIN, TRANSPOSED} and constant


def read(node: ir.Node) -> Convolution:
    """A node of a finished graph, ``Conv`` or ``ConvTranspose``."""
    weight, *rest = (_array(value) for value in node.inputs[1:])
    rank = weight.ndim - 2
    pads = list(node.attributes.get_ints("pads", [0] * (2 * rank)))
    group = node.attributes.get_int("group", 1)
    transposed = node.op_type == TRANSPOSED
    if transposed:
        weight = exchanged(weight, group)
        ends = node.attributes.get_ints("output_padding", [0] * rank)
        pads[rank:] = [pad - end for pad, end in zip(pads[rank:], ends, strict=True)]
    return Convolution(
        name=node.name or "",
        weight=weight,
        bias=rest[0] if rest else None,
        strides=tuple(node.attributes.get_ints("strides", [1] * rank)),
        dilations=tuple(node.attributes.get_ints("dilations", [1] * rank)),
        before=tuple(pads[:rank]),
        after=tuple(pads[rank:]),
        group=group,
        transposed=transposed,
    )


def write(graph: Builder, conv: Convolution, x: ir.Value) -> ir.Value:
    """The plain node: (N, C_in, *S) -> (N, C_out, *S')."""
    weight = exchanged(conv.weight, conv.group) if conv.transposed else conv.weight
    inputs = [x, graph.weight(f"{conv.name}.weight", weight)]
    if conv.bias is not None:
        inputs.append(graph.weight(f"{conv.name}.bias", conv.bias))
    shape = shape_of(x)
    spatial = [conv.length(axis, extent) for axis, extent in enumerate(shape[2:])]
    attributes: dict[str, Attribute] = {
        "kernel_shape": conv.kernel,
        "strides": conv.strides,
        "pads": (*conv.before, *conv.after),
        "dilations": conv.dilations,
        "group": conv.group,
    }
    if conv.transposed:  # runtimes want equal pads, and the rest as outputs behind
        ends = tuple(b - a for b, a in zip(conv.before, conv.after, strict=True))
        attributes |= {"pads": (*conv.before, *conv.before), "output_padding": ends}
    kind = TRANSPOSED if conv.transposed else PLAIN
    out = (shape[0], conv.weight.shape[0], *spatial)
    return graph.op(conv.name, kind, inputs, out, attributes)


def exchanged(weight: NDArray[np.float64], group: int) -> NDArray[np.float64]:
    """(a, b / group, *K) -> (b, a / group, *K): what a transposed convolution calls its weight."""
    first, second, *kernel = weight.shape
    apart = weight.reshape(group, first // group, second, *kernel)
    return apart.swapaxes(1, 2).reshape(group * second, first // group, *kernel)


def why_not_covered(conv: Convolution, axis: int) -> str | None:
    """Why some length T has other than ceil(T / s) outputs; None where each has as many."""
    stride, ends = conv.strides[axis], conv.before[axis] + conv.after[axis] - conv.kernel[axis]
    covers = all((ends - rest) // stride == -1 for rest in range(stride))
    return None if covers else "its padding does not give an output for each started stride"


def spread(conv: Convolution, axis: int) -> NDArray[np.float64]:
    """The taps of a stride s over s phases: (C_out, C, *K) -> (C_out, s C, *K / s).

    With d = -p mod s for a padding p in front, tap j + d = s m + r is tap m of phase r.
    """
    stride, taps = conv.strides[axis], conv.kernel[axis]
    shift = -conv.before[axis] % stride
    rows = -(-(taps + shift) // stride)
    moved = np.moveaxis(conv.weight, 2 + axis, -1)
    room = np.zeros((*moved.shape[:-1], rows * stride))
    room[..., shift : shift + taps] = moved
    out, each, *other = moved.shape[:-1]
    phases = np.moveaxis(room.reshape(out, each, *other, rows, stride), -1, 1)
    joined = phases.reshape(out, stride * each, *other, rows)
    return np.moveaxis(joined, -1, 2 + axis)


def _array(value: ir.Value | None) -> NDArray[np.float64]:
    assert value is not None and value.const_value is not None, "weights are constants"
    return value.const_value.numpy().astype(np.float64)
