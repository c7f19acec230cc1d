"""Shapes of what an operation computes, as far as they are known before the graph runs."""

from collections.abc import Sequence
from itertools import zip_longest
from math import prod

from export.builder import Dim, Extent
from hifigan_ref.errors import HifiError


def broadcast(*shapes: Sequence[Extent]) -> tuple[Extent, ...]:
    """Of an elementwise operation on tensors of these shapes."""
    columns = zip_longest(*(reversed(tuple(shape)) for shape in shapes), fillvalue=1)
    return tuple(_together(column) for column in reversed(list(columns)))


def _together(extents: Sequence[Extent]) -> Extent:
    """1 gives way; a number above 1 holds; a dynamic one is known where all have its name."""
    others = {extent for extent in extents if extent != 1}
    fixed = {extent for extent in others if isinstance(extent, int)}
    if len(fixed) > 1:
        raise HifiError(f"lengths {sorted(fixed)} do not broadcast: look at the shapes")
    if fixed:
        return fixed.pop()
    return others.pop() if len(others) == 1 else None if others else 1


def stated(entry: int | Dim) -> Extent:
    """A length as a shape states it."""
    return entry.axis if isinstance(entry, Dim) else entry


def added(*extents: Extent | Dim) -> Extent:
    """Their sum where all are fixed; a single one is itself."""
    if len(extents) == 1 and not isinstance(extents[0], Dim):
        return extents[0]
    fixed = [extent for extent in extents if isinstance(extent, int)]
    return sum(fixed) if len(fixed) == len(extents) else None


def rest_of(shape: Sequence[Extent], others: Sequence[Extent]) -> Extent:
    """The extent that fills a shape up to as many elements as another has."""
    names, taken = ([e for e in each if not isinstance(e, int)] for each in (shape, others))
    for name in taken:
        if name is None or name not in names:
            return None
        names.remove(name)
    above, below = (prod(e for e in each if isinstance(e, int)) for each in (shape, others))
    if not names:
        return above // below if below else None
    return names[0] if len(names) == 1 and above == below else None


def windows(
    lengths: Sequence[Extent],
    spans: Sequence[int],
    strides: Sequence[int],
    pads: Sequence[tuple[int, int]],
) -> list[int | None]:
    """Number of window positions along each axis."""
    return [
        (length + before + after - span) // stride + 1 if isinstance(length, int) else None
        for length, span, stride, (before, after) in zip(lengths, spans, strides, pads, strict=True)
    ]


def each_axis(value: int | Sequence[int], rank: int) -> tuple[int, ...]:
    """One number for each spatial axis."""
    given = (value,) if isinstance(value, int) else tuple(value)
    return given * rank if len(given) == 1 else given
