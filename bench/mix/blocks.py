"""Blocks of neighbouring layers that are tried together, where a network has many.

Each block is measured alone in each precision. Every such graph is opened beside the others and
timed in every round of the race, and some runtimes build an engine for it: their number must not
grow with that of the layers. A network of few layers has each in a block of its own.
"""

from collections.abc import Mapping, Sequence

from export.precision.budget import GraphPrecision

MOST_ALONE = 48  # graphs in which one block alone is in another precision

Assigned = Mapping[str, GraphPrecision]
"""Precision by name of the layers that are not as the base."""

Block = tuple[str, ...]
"""Names of layers, in the order of the graph."""

Part = tuple[Block, GraphPrecision]
"""A block in one precision, all others as the base."""


def blocks_of(layers: Sequence[str], precisions: int) -> tuple[Block, ...]:
    """Layers in order, in as many blocks as may be measured alone in so many precisions."""
    size = len(layers)
    count = min(size, MOST_ALONE // precisions)
    return tuple(
        tuple(layers[number * size // count : (number + 1) * size // count])
        for number in range(count)
    )
