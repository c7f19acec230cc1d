"""Whether a graph's outputs are as many times as long as an axis as its signature says.

The lengths are those that onnx's own shape inference finds when the axes are given numbers: what
the graph itself says of them was written by us.
"""

from collections.abc import Mapping, Sequence
from itertools import zip_longest

import onnx_ir as ir

from export.builder import Extent, shape_of
from export.request import ExportRequest
from hifigan_ref.network import Axis, Multiple, Sizes, in_words, length_of, together


def multiples(model: ir.Model, request: ExportRequest) -> list[str]:
    """What is of another length than promised, at the smallest sizes and at two neighbours."""
    ports = request.signature.outputs
    if not any(isinstance(each, Multiple) for port in ports for each in port.shape):
        return []
    faults = []
    axes = request.signature.axes.values()
    for sizes in together({axis.name: _tried(axis) for axis in axes}):
        lengths = request.sized(sizes)
        found = _inferred(model, request, lengths)
        for port in ports:
            wanted = [length_of(each, lengths) for each in port.shape]
            if not _fits(found[port.name], wanted):
                faults.append(f"{port.name} is {found[port.name]} for {in_words(lengths)}")
    return faults


def _tried(axis: Axis) -> tuple[int, ...]:
    return (axis.smallest, axis.typical, axis.typical + 1)


def _fits(found: Sequence[Extent], wanted: Sequence[int | None]) -> bool:
    pairs = zip_longest(wanted, found)
    return len(found) == len(wanted) and all(each in (None, there) for each, there in pairs)


def _inferred(
    model: ir.Model, request: ExportRequest, sizes: Sizes
) -> Mapping[str, tuple[Extent, ...]]:
    """The shapes of a graph's outputs for some lengths, by name."""
    from onnx_ir.passes.common.shape_inference import infer_shapes

    known = model.clone()
    for value, port in zip(known.graph.inputs, request.signature.inputs, strict=True):
        value.shape = ir.Shape(port.sized(sizes))
    for value in known.graph.outputs:
        value.shape = None
    infer_shapes(known)
    return {v.name or "": () if v.shape is None else shape_of(v) for v in known.graph.outputs}
