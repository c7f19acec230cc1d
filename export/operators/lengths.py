"""Arithmetic of lengths: of a fixed one at once, of a dynamic one when the graph runs."""

from collections.abc import Callable, Mapping

import torch

from export.builder import Builder, Dim
from export.operators.operation import Operation
from export.operators.vector import vector

Entry = int | Dim


def negative(graph: Builder, name: str, x: Entry) -> Entry:
    """-x."""
    return -x if isinstance(x, int) else graph.integer(name, "Neg", [x.value])


def modulo(graph: Builder, name: str, x: Entry, divisor: Entry) -> Entry:
    """X mod divisor with Python's sign, which is also that of ONNX's integer Mod."""
    if isinstance(x, int) and isinstance(divisor, int):
        return x % divisor
    return graph.integer(name, "Mod", [graph.length(x), graph.length(divisor)])


def plus(graph: Builder, name: str, x: Entry, other: Entry) -> Entry:
    """X + other."""
    if isinstance(x, int) and isinstance(other, int):
        return x + other
    if 0 in (x, other):
        return x if other == 0 else other
    return graph.integer(name, "Add", [graph.length(x), graph.length(other)])


def minus(graph: Builder, name: str, x: Entry, other: Entry) -> Entry:
    """X - other."""
    if isinstance(other, int):
        return plus(graph, name, x, -other)
    return graph.integer(name, "Sub", [graph.length(x), graph.length(other)])


def times(graph: Builder, name: str, x: Entry, other: Entry) -> Entry:
    """X other."""
    if isinstance(x, int) and isinstance(other, int):
        return x * other
    return graph.integer(name, "Mul", [graph.length(x), graph.length(other)])


def quotient(graph: Builder, name: str, x: Entry, divisor: Entry) -> Entry:
    """X // divisor, rounded down as Python does: ONNX's Div of integers rounds towards zero."""
    if isinstance(x, int) and isinstance(divisor, int):
        return x // divisor
    whole = minus(graph, f"{name}.whole", x, modulo(graph, f"{name}.rest", x, divisor))
    return graph.integer(name, "Div", [graph.length(whole), graph.length(divisor)])


ARITHMETIC: Mapping[str, Callable[[Builder, str, Entry, Entry], Entry]] = {
    "add": plus,
    "sub": minus,
    "mul": times,
    "floordiv": quotient,
    "mod": modulo,
}

OPERATIONS = (
    Operation("Shape", lambda x, start=0, end=None: vector(x.shape[start:end]), "free"),
    Operation("Range", lambda first, last, step: torch.arange(int(first), int(last), int(step))),
)
