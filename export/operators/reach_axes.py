"""What operations read that move axes, reduce them or sum over them."""

from math import prod

from export.operators.reach import Line, Reach, Step, over, whole
from export.operators.reach_windows import several


def turned(step: Step) -> Reach:
    """Wherever the permutation puts it."""
    rank = len(step.output)
    order = list(step.node.attributes.get_ints("perm", list(reversed(range(rank)))))
    return Reach(order.index(step.time))


def reshaped(step: Step) -> Reach:
    """Time alone, in rows of a fixed number of elements, or out of them.

    1. An axis with as many elements in front of it and as long: time as it was.
    2. Shorter by a whole factor: rows of so many elements.
    3. Longer by one: so many elements of each.
    """
    shape, time = step.shapes[0], step.time
    before, length = prod(shape[:time]), shape[time]
    for axis, found in enumerate(step.output):
        if prod(step.output[:axis]) != before or (found == 1 and length != 1):
            continue
        if found == length:
            return Reach(axis)
        if length % found == 0:
            factor = length // found
            more, less = Line(factor), Line(1, 0, factor)
            return Reach(axis, more, Line(factor, factor - 1), less, less, less)
        if found % length == 0:
            return several(Reach(axis), found // length)
    raise whole(step, "it mixes time with another axis")


def reduced(step: Step) -> Reach:
    """Over other axes than time."""
    rank = len(step.shapes[0])
    given = step.constants[1] if len(step.constants) > 1 else None
    named = step.node.attributes.get_ints("axes", [])
    axes = {int(a) % rank for a in (named if given is None else given.tolist())} or set(range(rank))
    if step.time in axes:
        raise whole(step, "it reads the whole signal at once")
    gone = 0 if len(step.output) == rank else sum(axis < step.time for axis in axes)
    return Reach(step.time - gone)


def product(step: Step) -> Reach:
    """Rows of the left side, or columns of the right one, that are moments."""
    left, right = step.times[:2]
    if left is not None and right is None and left < len(step.shapes[0]) - 1:
        return Reach(left + len(step.output) - len(step.shapes[0]))
    if right is not None and left is None and right == len(step.shapes[1]) - 1:
        return Reach(len(step.output) - 1)
    raise whole(step, "it sums over time")


def _layer_axes(step: Step) -> tuple[int, ...]:
    rank = len(step.shapes[0])
    return tuple(range(step.node.attributes.get_int("axis", -1) % rank, rank))


def _softmax_axes(step: Step) -> tuple[int, ...]:
    rank, graph = len(step.shapes[0]), step.node.graph
    if graph is not None and graph.opset_imports.get("", 13) < 13:
        return tuple(range(step.node.attributes.get_int("axis", 1) % rank, rank))
    return (step.node.attributes.get_int("axis", -1) % rank,)


layer_norm = over(_layer_axes)
softmax = over(_softmax_axes)
normalised = over(lambda _: (0, 1))  # by statistics that are stored, of channels
