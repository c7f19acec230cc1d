"""A part of a graph: what lies between initializers whose names begin alike.

1. Its nodes are those that read such an initializer, and all on a way between two of them.
2. What follows them and needs nothing else belongs to it too, but for a last change of shape.
3. What they read from elsewhere are its inputs, named as VITS names them: ``z``, then ``g``.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import onnx_ir as ir

from export.operators.table import kind_of
from hifigan_ref.errors import HifiError, nearest

NAMES = ("z", "g")
OUTPUT = "audio"


@dataclass(frozen=True)
class Part:
    """Some nodes of a graph.

    Attributes:
        nodes: in topological order.
        inputs: values by the names that they get.
        outputs: the same.
    """

    nodes: tuple[ir.Node, ...]
    inputs: dict[str, ir.Value]
    outputs: dict[str, ir.Value]


def whole(model: ir.Model) -> Part:
    """All of it."""
    weights = set(model.graph.initializers.values())
    inputs = {str(value.name): value for value in model.graph.inputs if value not in weights}
    outputs = {str(value.name): value for value in model.graph.outputs}
    return Part(tuple(model.graph), inputs, outputs)


def part_of(model: ir.Model, prefix: str, path: Path) -> Part:
    """The part whose initializers' names begin with a prefix.

    Raises:
        HifiError: there is none.
    """
    own = {v for name, v in model.graph.initializers.items() if name.startswith(prefix)}
    nodes = list(model.graph)
    core = {node for node in nodes if own & set(node.inputs)}
    if not core:
        there = prefixes_of(model)
        raise HifiError(
            f"{path} has no initializer whose name begins with {prefix!r}: "
            f"{nearest(prefix, there)}it has {', '.join(there) or 'none with a name of its own'}"
        )
    held = _between(nodes, core)
    fixed = _constants(model, nodes)
    for node in nodes:
        read = [v for v in node.inputs if v is not None and v not in fixed]
        if node not in held and read and all(v.producer() in held for v in read):
            held.add(node)
    members = [node for node in nodes if node in held]
    while members and kind_of(members[-1]) == "free":
        members.pop()
    return _cut(members, fixed)


def prefixes_of(model: ir.Model) -> list[str]:
    """What names of initializers begin with, the most frequent first: ``dec.``."""
    names = (name.split(".") for name in model.graph.initializers)
    return [name for name, _ in Counter(f"{n[0]}." for n in names if len(n) > 1).most_common(8)]


def _between(nodes: Sequence[ir.Node], core: set[ir.Node]) -> set[ir.Node]:
    """Nodes that a node of the core leads to and that lead to one."""
    after: set[ir.Node] = set()
    for node in nodes:
        if node in core or any(v is not None and v.producer() in after for v in node.inputs):
            after.add(node)
    before: set[ir.Node] = set()
    for node in reversed(nodes):
        if node in core or any(user in before for out in node.outputs for user in _users(out)):
            before.add(node)
    return after & before


def _users(value: ir.Value) -> Iterable[ir.Node]:
    return (use.node for use in value.uses())


def _constants(model: ir.Model, nodes: Sequence[ir.Node]) -> set[ir.Value]:
    """Values that no input decides."""
    fixed = set(model.graph.initializers.values())
    for node in nodes:
        given = [v for v in node.inputs if v is not None]
        if (given or node.op_type == "Constant") and all(v in fixed for v in given):
            fixed |= set(node.outputs)
    return fixed


def _cut(members: Sequence[ir.Node], fixed: set[ir.Value]) -> Part:
    inside = set(members)
    read = [v for node in members for v in node.inputs if v is not None and v not in fixed]
    inputs = [v for v in dict.fromkeys(read) if v.producer() not in inside]
    made = [out for node in members for out in node.outputs]
    outputs = [
        out for out in made if out.is_graph_output() or any(u not in inside for u in _users(out))
    ]
    several = len(outputs) > 1
    return Part(
        tuple(members),
        {NAMES[i] if i < len(NAMES) else str(v.name): v for i, v in enumerate(inputs)},
        {f"{OUTPUT}_{i}" if several else OUTPUT: v for i, v in enumerate(outputs)},
    )
