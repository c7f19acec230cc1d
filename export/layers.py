"""What each layer of a graph must compute and move, counted from the graph and its shapes.

FLOPs: those of convolutions, two for a multiply-add. Activations, pads and means are left out: they
are below 0.1 % here.

Bytes: weights, inputs and outputs, each once, in the graph's own types: what no runtime can do
without that computes layer by layer. A function of one element at a time that alone reads a
convolution's output (its activation, a bias) is one layer with it, as in every runtime: what passes
between the two stays in registers. A node that only looks at the same numbers in another shape
moves nothing.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from math import ceil, prod
from typing import TYPE_CHECKING

from hifigan_ref.network import Sizes

if TYPE_CHECKING:
    import onnx_ir as ir


@dataclass(frozen=True)
class GraphLayer:
    """A convolution with what is fused to it, or another node that moves numbers.

    Attributes:
        name: of its first node.
        kind: operators, joined by " + ".
        nodes: names of its nodes, in the order of the graph.
        values: names of what each of them computes.
        flops: for the whole batch.
        bytes: weights, inputs and outputs, each once.
    """

    name: str
    kind: str
    nodes: tuple[str, ...]
    values: tuple[str, ...]
    flops: int
    bytes: int


def count_layers(model: "ir.Model", sizes: Sizes) -> tuple[GraphLayer, ...]:
    """The layers of a graph for lengths of its dynamic axes, in graph order."""
    return shaped_layers(shaped(model, sizes))


def shaped(model: "ir.Model", sizes: Sizes) -> "ir.Model":
    """The graph for lengths of its dynamic axes, in which every shape is a number."""
    import onnx_ir as ir
    from onnxscript import optimizer

    from export.builder import shape_of

    model = model.clone()
    for value in model.graph.inputs:
        known = shape_of(value)
        value.shape = ir.Shape([sizes[n] if isinstance(n, str) else n for n in known])
    optimizer.fold_constants(model, onnx_shape_inference=True)
    return model


def shaped_layers(model: "ir.Model") -> tuple[GraphLayer, ...]:
    """The layers of a graph in which every shape is known."""
    return tuple(_layer(nodes) for nodes in _fused(model.graph))


def _fused(graph: "ir.Graph") -> Iterator[list["ir.Node"]]:
    """The nodes of each layer."""
    from export.operators.table import is_weighted, kind_of

    taken: set[ir.Node] = set()
    for node in graph:
        if kind_of(node) == "free" or node in taken:
            continue
        layer = [node]
        while is_weighted(node) and (follower := _follower(layer[-1])):
            layer.append(follower)
        taken.update(layer)
        yield layer


def _follower(node: "ir.Node") -> "ir.Node | None":
    """The elementwise node that alone reads this one's output, if there is one."""
    from export.operators.table import kind_of

    (output,) = node.outputs
    readers = [use.node for use in output.uses()]
    if len(readers) != 1 or output.is_graph_output() or kind_of(readers[0]) != "elementwise":
        return None
    others = [value for value in readers[0].inputs if value is not output]
    constant = all(value is None or value.const_value is not None for value in others)
    return readers[0] if constant else None


def _layer(nodes: list["ir.Node"]) -> GraphLayer:
    inner = {id(node.outputs[0]) for node in nodes[:-1]}
    # by identity: a value that a layer reads twice is read once
    values = {id(v): v for n in nodes for v in (*n.inputs, *n.outputs) if v is not None}
    return GraphLayer(
        name=nodes[0].name or "",
        kind=" + ".join(node.op_type for node in nodes),
        nodes=tuple(node.name or "" for node in nodes),
        values=tuple(value.name or "" for node in nodes for value in node.outputs),
        flops=sum(_flops(node) for node in nodes),
        bytes=sum(_bytes(value) for key, value in values.items() if key not in inner),
    )


def _flops(node: "ir.Node") -> int:
    from export.operators.table import OPERATIONS

    row = OPERATIONS.get(node.op_type)
    return 0 if row is None else row.flops(node)


def _bytes(value: "ir.Value") -> int:
    assert value.shape is not None and value.dtype is not None, value.name
    return ceil(prod(value.shape.numpy()) * value.dtype.itemsize)
