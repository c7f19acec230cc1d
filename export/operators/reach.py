"""Which elements along time an operation reads: a fact of each row of the table.

An element of an output reads those of the inputs from one affine map of its index to another. Maps
are exact: whole numbers, rounded down. Nothing ends in them: what lies outside of a signal is what
the operation itself takes there, such as the zeros of a padding.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from fractions import Fraction

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from export.builder import Attribute
from hifigan_ref.errors import HifiError

Shape = tuple[int, ...]


@dataclass(frozen=True)
class Line:
    """``i -> floor((i times + plus) / by)``.

    Attributes:
        times: factor, above 0.
        plus: added to the product.
        by: divisor, above 0.
    """

    times: int = 1
    plus: int = 0
    by: int = 1

    def __call__(self, i: int) -> int:
        """At an index."""
        return (i * self.times + self.plus) // self.by


SAME = Line()


@dataclass(frozen=True)
class Step:
    """A node in a graph in which every shape is known.

    Attributes:
        node: of that graph.
        shapes: of its inputs.
        times: which axis of each input is time, or None.
        constants: values of the inputs that are stored, or None.
        output: shape of what it makes.
    """

    node: ir.Node
    shapes: tuple[Shape, ...]
    times: tuple[int | None, ...]
    constants: tuple[NDArray[np.generic] | None, ...]
    output: Shape

    @property
    def time(self) -> int:
        """Time's axis of the first input.

        Raises:
            HifiError: only another input has one, such as a weight.
        """
        if self.times[0] is None:
            raise whole(self, "what it weighs with changes with time")
        return self.times[0]


@dataclass(frozen=True)
class Reach:
    """What a node reads along time, of every input that has it.

    Attributes:
        axis: of time in the outputs.
        first: index of an output element to that of the first input element it reads.
        last: and of the last.
        length: length of the input to that of the output.
        begins: where the output begins that the node computes, without its padding, of an input
            that begins there.
        ends: and the index behind its last element, of that behind the input's.
        outside: what is read where there is no input: ``zeros``, or what else, in words.
        plain: attributes of the node without its padding; None where nothing is left of it.
        crops: whether its attribute ``pads`` can cut its output.
        whole: whether the node holds numbers of its own along time, so that it fits no part.
    """

    axis: int
    first: Line = SAME
    last: Line = SAME
    length: Line = SAME
    begins: Line = SAME
    ends: Line = SAME
    outside: str = "zeros"
    plain: Mapping[str, Attribute] | None = field(default_factory=dict)
    crops: bool = False
    whole: bool = False

    @property
    def rate(self) -> Fraction:
        """Elements of the output for each of the input."""
        return Fraction(self.first.by, self.first.times)


Reaching = Callable[[Step], Reach]


def whole(step: Step, why: str) -> HifiError:
    """Of a node of which no chunk can be computed without the whole."""
    return HifiError(
        f"{step.node.name or step.node.op_type} ({step.node.op_type}) has no finite field along "
        f"time: {why}: stream what stands before it"
    )


def pointwise(step: Step) -> Reach:
    """Each element reads its own place, of inputs that broadcast."""
    rank = len(step.output)
    pairs = zip(step.times, step.shapes, strict=True)
    places = {axis + rank - len(shape) for axis, shape in pairs if axis is not None}
    if len(places) != 1:
        raise whole(step, "it combines each moment with every other")
    (place,) = places
    for axis, shape in zip(step.times, step.shapes, strict=True):
        here = place - rank + len(shape)
        if (axis is None and here >= 0 and shape[here] != 1) or (
            axis is not None and shape[axis] != step.output[place]
        ):
            raise whole(step, "it combines time with something of a fixed length")
    return Reach(place)


def everything(step: Step) -> Reach:
    """Each element reads all of time."""
    raise whole(step, "it reads the whole signal at once")


def over(axes: Callable[[Step], tuple[int, ...]]) -> Reaching:
    """Of what is computed over some axes, whose shape stays: all of time is read where it is one.

    Args:
        axes: of a node, counted from the front.
    """

    def reach(step: Step) -> Reach:
        if step.time in axes(step):
            raise whole(step, "it reads the whole signal at once")
        return Reach(step.time)

    return reach
