"""What windows over time read: convolutions, pools, paddings, cuts and repeats."""

from collections.abc import Sequence

from export.builder import Attribute
from export.operators.reach import Line, Reach, Step, whole


def _along(step: Step, attribute: str, default: int, side: int = 0) -> int:
    """An attribute's number for time's axis; of pads, in front of it (0) or behind (1)."""
    given = step.node.attributes.get_ints(attribute, [])
    place, rank = step.time - 2, len(step.shapes[0]) - 2
    return int(given[place + side * rank]) if given else default


def _without_pads(step: Step) -> dict[str, Attribute]:
    """The node's pads with none along time."""
    given = step.node.attributes.get_ints("pads", [])
    place, rank = step.time - 2, len(step.shapes[0]) - 2
    if not given:
        return {}
    return {"pads": tuple(0 if i % rank == place else int(p) for i, p in enumerate(given))}


def _spatial(step: Step, kernel: Sequence[int]) -> tuple[int, int, int]:
    """Stride, dilation and taps over time's axis."""
    if step.time < 2:
        raise whole(step, "it adds up an axis that holds time")
    if step.node.attributes.get_string("auto_pad", "NOTSET") != "NOTSET":
        raise whole(step, "its auto_pad depends on the length; state its pads")
    k = int(kernel[step.time - 2])
    return _along(step, "strides", 1), _along(step, "dilations", 1), k


def _window(step: Step, kernel: Sequence[int], outside: str = "zeros") -> Reach:
    stride, dilation, taps = _spatial(step, kernel)
    before, after = _along(step, "pads", 0), _along(step, "pads", 0, 1)
    span = dilation * (taps - 1) + 1
    return Reach(
        step.time,
        first=Line(stride, -before),
        last=Line(stride, span - 1 - before),
        length=Line(1, before + after - span + stride, stride),
        begins=Line(1, before + stride - 1, stride),
        ends=Line(1, before - span + stride, stride),
        outside=outside,
        plain=_without_pads(step),
    )


def convolution(step: Step) -> Reach:
    """Every ``stride`` elements, ``dilation * (taps - 1) + 1`` of them."""
    if any(axis is not None for axis in step.times[1:]):
        raise whole(step, "its weight is computed from the signal")
    return _window(step, step.shapes[1][2:])


def pool(step: Step) -> Reach:
    """As a convolution; a pad is a zero only where it is counted."""
    average = step.node.op_type == "AveragePool"
    counted = step.node.attributes.get_int("count_include_pad", 0)
    outside = "zeros" if average and counted else "pads that do not count"
    if step.node.attributes.get_int("ceil_mode", 0):
        raise whole(step, "its ceil_mode depends on the length")
    return _window(step, step.node.attributes.get_ints("kernel_shape", []), outside)


def transposed(step: Step) -> Reach:
    """Those input elements whose taps fall on it; one where the stride leaves it without any."""
    if any(axis is not None for axis in step.times[1:]):
        raise whole(step, "its weight is computed from the signal")
    stride, dilation, taps = _spatial(step, step.shapes[1][2:])
    if "output_shape" in step.node.attributes:
        raise whole(step, "its output_shape is fixed; state its pads")
    before, after = _along(step, "pads", 0), _along(step, "pads", 0, 1)
    span = dilation * (taps - 1) + 1
    behind = _along(step, "output_padding", 0)
    behind_others = _no_padding(step)
    return Reach(
        step.time,
        first=Line(1, before - max(span - stride, 0), stride),
        last=Line(1, before, stride),
        length=Line(stride, span - stride - before - after + behind),
        begins=Line(stride, -before),
        ends=Line(stride, span - stride - before),
        plain={
            "pads": (0,) * (2 * len(behind_others)),
            **_without_pads(step),
            "output_padding": tuple(behind_others),
        },
        crops=True,
    )


def _no_padding(step: Step) -> list[int]:
    rank = len(step.shapes[0]) - 2
    given = step.node.attributes.get_ints("output_padding", [0] * rank)
    return [0 if i == step.time - 2 else int(p) for i, p in enumerate(given)]


def padding(step: Step) -> Reach:
    """Shifted by what stands in front."""
    pads = step.constants[1]
    if pads is None:
        given = step.node.attributes.get_ints("pads", [])
        if not given:
            raise whole(step, "how much it pads is computed from the signal")
        amounts = [int(each) for each in given]
    else:
        amounts = [int(each) for each in pads.tolist()]
    rank = len(step.shapes[0])
    axes = step.constants[3] if len(step.constants) > 3 else None
    named = list(range(rank)) if axes is None else [int(a) % rank for a in axes.tolist()]
    if step.time not in named:
        return Reach(step.time)
    place = named.index(step.time)
    before, after = amounts[place], amounts[place + len(named)]
    if not before and not after:
        return Reach(step.time)
    alone = not any(a for i, a in enumerate(amounts) if i % len(named) != place)
    mode = step.node.attributes.get_string("mode", "constant")
    value = step.constants[2] if len(step.constants) > 2 else None
    empty = mode == "constant" and (value is None or not value.any())
    outside = "zeros" if empty else f"a padding of mode {mode}"
    shifted = Line(1, before)
    return Reach(
        step.time,
        first=Line(1, -before),
        last=Line(1, -before),
        length=Line(1, before + after),
        begins=shifted,
        ends=shifted,
        outside=outside,
        plain=None,
        whole=not alone,
    )


def cut(step: Step) -> Reach:
    """Shifted by the start, which counts from the front; every ``step``-th element."""
    rank = len(step.shapes[0])
    starts, ends, axes, steps = (
        None if each is None else [int(n) for n in each.tolist()]
        for each in (*step.constants[1:], None, None, None)[:4]
    )
    if starts is None or ends is None:
        raise whole(step, "where it cuts is computed from the signal")
    named = list(range(rank)) if axes is None else [a % rank for a in axes]
    if step.time not in named:
        return Reach(step.time)
    place = named.index(step.time)
    start, end, by = starts[place], ends[place], 1 if steps is None else steps[place]
    length = step.shapes[0][step.time]
    if start < 0 or by < 1 or 0 <= end < length:
        raise whole(step, "it cuts at a place that is counted from the signal's end")
    behind = min(0, end)
    return Reach(
        step.time,
        first=Line(by, start),
        last=Line(by, start),
        length=Line(1, behind - start + by - 1, by),
        begins=Line(1, by - 1 - start, by),
        ends=Line(1, by - 1 - start, by),
        outside="what it cuts off",
        plain=None,
        whole=by != 1 or len(named) != 1,
    )


def repeats(step: Step) -> Reach:
    """Of a whole number of repeats, by the ``nearest`` element below."""
    before, after = step.shapes[0][step.time], step.output[step.time]
    if after == before:
        return Reach(step.time)
    asymmetric = ("asymmetric", "nearest", "floor")
    names = ("coordinate_transformation_mode", "mode", "nearest_mode")
    attributes = step.node.attributes
    if after % before or tuple(attributes.get_string(name, "") for name in names) != asymmetric:
        raise whole(step, "it interpolates by a factor that is no whole number")
    return several(Reach(step.time), after // before)


def several(reach: Reach, factor: int) -> Reach:
    """So many elements of each."""
    less, more = Line(1, 0, factor), Line(factor)
    return Reach(reach.axis, less, less, more, more, more)


def joined(step: Step) -> Reach:
    """Along another axis than time."""
    axis = step.node.attributes.get_int("axis", 0) % len(step.output)
    if axis in step.times:
        raise whole(step, "it joins signals one behind the other")
    if None in step.times:
        raise whole(step, "it joins a signal with something of a fixed length")
    return Reach(step.time)


def split(step: Step) -> Reach:
    """Along another axis than time."""
    if step.node.attributes.get_int("axis", 0) % len(step.output) == step.time:
        raise whole(step, "it cuts time into parts that depend on the length")
    return Reach(step.time)


def picked(step: Step) -> Reach:
    """Rows of another axis than time; or rows of a table, by numbers that change with time."""
    rank = len(step.shapes[0] or step.output)
    axis = step.node.attributes.get_int("axis", 0) % rank
    rows, numbers = step.times[:2]
    if rows is None and numbers is not None:
        return Reach(axis + numbers)
    if axis == step.time or numbers is not None:
        raise whole(step, "it picks moments by their number")
    moved = len(step.output) - rank
    return Reach(step.time + (moved if axis < step.time else 0))
