"""What a rewrite must be able to do, and which there are."""

import importlib
import pkgutil
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING, Protocol

from hifigan_ref.errors import HifiError

if TYPE_CHECKING:
    import onnx_ir as ir

    from export.builder import Extent
    from export.lowering.convolution import Convolution
    from export.lowering.layouts import Graph

Inner = Callable[["Graph", "Convolution", "ir.Value"], "ir.Value"]
"""Writes the convolution that a rewrite leaves, in the next form or plainly."""

Form = tuple[str, ...]
"""Names of rewrites, the outermost first; empty is the plain convolution."""


class Rule(Protocol):
    """One exact rewrite of a convolution."""

    @property
    def name(self) -> str:
        """As in a plan."""

    @property
    def purpose(self) -> str:
        """One line: what becomes what."""

    @property
    def sums(self) -> bool:
        """Whether it adds inputs or weights up, which costs precision; others only move them."""

    @property
    def transposed(self) -> bool:
        """Whether it is for transposed convolutions, and for no others."""

    def refuses(self, conv: "Convolution", shape: "Sequence[Extent]") -> str | None:
        """Why it cannot rewrite this convolution of an input of this shape; None where it can."""

    def rewrite(
        self, graph: "Graph", conv: "Convolution", x: "ir.Value", inner: Inner
    ) -> "ir.Value":
        """The same output from the same input, in another form."""


@cache
def rules() -> dict[str, Rule]:
    """Every rewrite: each file of ``export/lowering/rules/`` that defines ``RULES``, by name."""
    package = importlib.import_module("export.lowering.rules")
    names = sorted(info.name for info in pkgutil.iter_modules(package.__path__))
    modules = [importlib.import_module(f"export.lowering.rules.{name}") for name in names]
    return {rule.name: rule for module in modules for rule in getattr(module, "RULES", ())}


def parse_form(text: str) -> Form:
    """``phase+fir-3-3+wide`` -> its rewrites; ``plain`` -> none.

    Raises:
        HifiError: no such rewrite.
    """
    if text == "plain":
        return ()
    form = tuple(text.split("+"))
    for name in form:
        if name not in rules():
            allowed = ", ".join(("plain", *rules()))
            raise HifiError(f"no rewrite {name!r}: choose from {allowed}, joined by +")
    return form


def moving(form: Form) -> Form:
    """Without the rewrites that add up: what is left also suits a layer in less than float32."""
    return tuple(name for name in form if not rules()[name].sums)


def quantizable(form: Form) -> Form:
    """Without what leaves no convolution either: what is left also suits a layer in int8."""
    from export.lowering.rules.matmul import MatMul

    return tuple(name for name in moving(form) if not isinstance(rules()[name], MatMul))


def _unlike(rule: Rule, conv: "Convolution") -> str | None:
    if rule.transposed == conv.transposed:
        return None
    return "it is transposed" if conv.transposed else "it is not transposed"


def form_text(form: Form) -> str:
    """The other way."""
    return "+".join(form) or "plain"


def write_form(graph: "Graph", form: Form, conv: "Convolution", x: "ir.Value") -> "ir.Value":
    """A convolution in a form.

    Raises:
        HifiError: one of the rewrites refuses what the one before it left.
    """
    from export.builder import shape_of
    from export.lowering.convolution import write

    if not form:
        return write(graph, conv, x)
    first, rest = rules()[form[0]], form[1:]
    reason = _unlike(first, conv) or first.refuses(conv, shape_of(x))
    if reason is not None:
        raise HifiError(f"{conv.name} cannot be written as {first.name}: {reason}")
    left_over = list(rest[:1])

    def inner(graph: "Graph", left: "Convolution", z: "ir.Value") -> "ir.Value":
        left_over.clear()
        return write_form(graph, rest, replace(left, name=f"{conv.name}.{first.name}"), z)

    made = first.rewrite(graph, conv, x, inner)
    if left_over:
        raise HifiError(
            f"{conv.name} cannot be written as {left_over[0]} behind {first.name}, which leaves no "
            "convolution"
        )
    return made
