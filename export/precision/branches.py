"""Branches of a graph: layers that share an output, by what each of them reaches in the graph."""

from collections.abc import Iterable
from dataclasses import dataclass

import onnx_ir as ir


@dataclass(frozen=True)
class Branch:
    """Layers whose errors meet in an output; those of other branches meet none of them.

    Attributes:
        layers: names of their nodes.
        outputs: names of the graph's outputs that at least one of them reaches.
    """

    layers: tuple[str, ...]
    outputs: frozenset[str]


def branches(graph: ir.Graph, layers: Iterable[str]) -> tuple[Branch, ...]:
    """These layers, apart where the sets of outputs that they reach do not meet.

    Args:
        graph: sorted, as every ONNX graph is.
        layers: names of nodes. One that reaches no output is in no branch.

    Raises:
        KeyError: the graph has no such node.
    """
    reached = _reached(graph)
    found: tuple[Branch, ...] = ()
    for name in layers:
        apart = tuple(each for each in found if not each.outputs & reached[name])
        joined = [each for each in found if each not in apart]
        whole = tuple(layer for each in joined for layer in each.layers)
        outputs = reached[name].union(*(each.outputs for each in joined))
        found = (*apart, Branch((*whole, name), outputs)) if outputs else found
    return found


def _reached(graph: ir.Graph) -> dict[str, frozenset[str]]:
    """Names of the outputs that each node has an influence on, by name of the node."""
    behind = {value: frozenset({value.name or ""}) for value in graph.outputs}
    found: dict[str, frozenset[str]] = {}
    for node in reversed(graph):
        reached = frozenset[str]().union(*(behind.get(v, ()) for v in node.outputs))
        found[node.name or ""] = reached
        for value in node.inputs:
            if value is not None:
                behind[value] = behind.get(value, frozenset()) | reached
    return found
