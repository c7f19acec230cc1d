"""Lengths in a vector, as graphs compute shapes: numbers, and what is known when the graph runs."""

import operator
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from hifigan_ref.errors import HifiError

Function = Callable[[Any, Any], Any]


class Vector:
    """An int64 vector, (n,), or a scalar, of which some entries are symbols.

    Args:
        entries: numbers, and lengths that a tracer knows.
        scalar: whether it is the only entry without an axis.
    """

    def __init__(self, entries: Sequence[Any], scalar: bool = False) -> None:
        self.entries = list(entries)
        self.ndim = 0 if scalar else 1

    @classmethod
    def __torch_function__(
        cls,
        func: Callable[..., Any],
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        """A function of PyTorch was given lengths."""
        del types
        known = FUNCTIONS.get(func.__name__)
        if known is None:
            raise HifiError(f"{func.__name__} of lengths is not known here: fix the axis")
        return known(*args, **{k: v for k, v in (kwargs or {}).items() if k != "rounding_mode"})

    @property
    def shape(self) -> tuple[int, ...]:
        """(n,) or ()."""
        return (len(self.entries),) if self.ndim else ()

    def is_floating_point(self) -> bool:
        """They are whole numbers."""
        return False

    def tolist(self) -> Any:
        """The entries."""
        return self.entries if self.ndim else self.entries[0]

    def long(self) -> "Vector":
        """They are whole numbers."""
        return self

    def double(self) -> "Vector":
        """A length among real numbers, which a tracer takes as it is."""
        return self

    def select(self, axis: int, index: int) -> "Tensor | Vector":
        """One entry."""
        del axis
        return vector([self.entries[index]], scalar=True)

    def reshape(self, *sizes: Any) -> "Tensor | Vector":
        """In one axis, or in none."""
        wanted = sizes[0] if isinstance(sizes[0], list | tuple) else sizes
        if len(wanted) > 1:
            raise HifiError("lengths in a matrix are not known here: fix the axis")
        return vector(self.entries, scalar=not wanted)

    def unsqueeze(self, axis: int) -> "Tensor | Vector":
        """A scalar as a vector."""
        del axis
        return self.reshape(-1)

    def squeeze(self, *_: Any) -> "Tensor | Vector":
        """A vector of one entry as a scalar."""
        return vector(self.entries, scalar=len(self.entries) == 1)

    def __getitem__(self, index: Any) -> "Tensor | Vector":
        """Some entries."""
        part = index[0] if isinstance(index, tuple) else index
        return vector(self.entries[part])


Lengths = Tensor | Vector


def vector(entries: Sequence[Any], scalar: bool = False) -> Lengths:
    """Numbers alone as a tensor."""
    if all(isinstance(each, int) for each in entries):
        return torch.tensor(
            entries[0] if scalar else list(entries), dtype=torch.int64, device="cpu"
        )
    return Vector(entries, scalar)


def _listed(given: Lengths) -> list[Any]:
    found = given.tolist()
    return found if isinstance(found, list) else [found]


def _joined(several: Sequence[Lengths], axis: int = 0) -> Lengths:
    del axis
    return vector([entry for each in several for entry in _listed(each)])


def _picked(x: Vector, axis: int, rows: Tensor) -> Lengths:
    del axis
    return vector([x.entries[row] for row in rows.tolist()])


def _number(given: Any) -> Any:
    """The one length of a vector; anything else as it is."""
    if not isinstance(given, Vector):
        return given
    if len(given.entries) > 1:
        raise HifiError("several lengths as real numbers are not known here: fix the axis")
    return given.entries[0]


def _of_two(
    whole: Callable[[Any, Any], Any], real: Callable[[Any, Any], Any]
) -> Callable[..., Any]:
    def apply(a: Any, b: Any) -> Any:
        if a.is_floating_point() or b.is_floating_point():
            return real(_number(a), _number(b))
        left, right = _listed(a), _listed(b)
        count = max(len(left), len(right))
        pairs = zip(*(each * (count // len(each)) for each in (left, right)), strict=True)
        return vector([whole(*pair) for pair in pairs], scalar=a.ndim + b.ndim == 0)

    return apply


FUNCTIONS: Mapping[str, Callable[..., Any]] = {
    "neg": lambda x: vector([-each for each in x.entries], scalar=x.ndim == 0),
    "cat": _joined,
    "index_select": _picked,
    "add": _of_two(operator.add, operator.add),
    "sub": _of_two(operator.sub, operator.sub),
    "mul": _of_two(operator.mul, operator.mul),
    "div": _of_two(operator.floordiv, operator.truediv),
    "remainder": _of_two(operator.mod, operator.mod),
}
