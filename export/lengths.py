"""Lengths at which a file is verified: where paddings, halos and tiles are extreme."""

from collections.abc import Mapping

from export.request import ExportRequest
from hifigan_ref.network import BATCH, Sizes, together

ITEMS = 2  # of a dynamic batch
SHARE = 4  # a graph is seen to be wrong at this part of a typical length
FIRST = 4  # lengths from the shortest on, where padding does not need more
WIDTHS = (2, 3, 4, 5, 8)  # of the innermost layer: both sides of the tiles of most forms


def usual_sizes(request: ExportRequest, promised: bool) -> tuple[Sizes, ...]:
    """Sizes at which every padding is empty once, and longest once.

    Args:
        request: of the file.
        promised: whether its error is an average, which needs typical lengths.
    """
    share = 1 if promised else SHARE
    lengths = {
        name: (ITEMS,) if name == BATCH else axis.extremes(axis.typical // share)
        for name, axis in request.signature.axes.items()
    }
    return together(lengths | {name: (length,) for name, length in request.sizes.items()})


def short_sizes(
    request: ExportRequest, hops: Mapping[str, float], below: Sizes
) -> tuple[Sizes, ...]:
    """Sizes from the shortest legal one on, few enough that an export does not wait for them.

    1. The shortest and those behind it, through every remainder of the padding.
    2. Those from which on the innermost layer has each of ``WIDTHS``.

    Args:
        request: of the file.
        hops: elements of each axis for each output of the innermost layer, of the part where it is
            widest: the others meet smaller widths there.
        below: of each axis, all lengths are shorter.
    """
    found: dict[str, tuple[int, ...]] = {}
    for name, axis in request.signature.axes.items():
        if name == BATCH or name in request.sizes:
            continue
        first = axis.smallest
        lengths = set(range(first, first + max((FIRST, *axis.residues))))
        if name in hops:
            lengths |= {int(hops[name] * (width - 1)) + 1 for width in WIDTHS}
        found[name] = tuple(sorted(n for n in lengths if first <= n < below[name])) or (first,)
    if not found:
        return ()
    fixed = {name: (length,) for name, length in {BATCH: ITEMS, **request.sizes}.items()}
    known = {**fixed, **found}
    return together({name: known[name] for name in request.signature.axes})
