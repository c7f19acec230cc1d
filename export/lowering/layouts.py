"""Other shapes for the same numbers, entered before a convolution and left after it.

Where the next layer wants the layout that the one before it left, nothing is moved in between, not
even through an activation.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import onnx_ir as ir

from export.builder import Attribute, Builder, Extent, shape_of


@dataclass(frozen=True)
class Left:
    """What a value was before its layout was left.

    Attributes:
        layout: its name.
        value: in that layout.
        leave: does the same for another value of the same shape.
    """

    layout: str
    value: ir.Value
    leave: Callable[[str, ir.Value], ir.Value]


class Graph(Builder):
    """A builder that remembers layouts."""

    def __init__(self, real: ir.DataType = ir.DataType.FLOAT) -> None:
        super().__init__(real)
        self._left: dict[int, Left] = {}

    def enter(self, layout: str, x: ir.Value, move: Callable[[], ir.Value]) -> ir.Value:
        """x in a layout: as it was left, or moved there."""
        left = self._left.get(id(x))
        return left.value if left is not None and left.layout == layout else move()

    def leave(
        self, layout: str, name: str, value: ir.Value, move: Callable[[str, ir.Value], ir.Value]
    ) -> ir.Value:
        """A value in its usual shape again."""
        usual = move(name, value)
        self._left[id(usual)] = Left(layout, value, move)
        return usual

    def activate(
        self, name: str, op_type: str, x: ir.Value, attributes: Mapping[str, Attribute]
    ) -> ir.Value:
        """An elementwise operation, taken before the layout is left, where the convolution is."""
        left = self._left.get(id(x))
        if left is None:
            return self.op(name, op_type, [x], shape_of(x), attributes)
        inside = self.activate(f"{name}.{left.layout}", op_type, left.value, attributes)
        return self.leave(left.layout, name, inside, left.leave)

    def reshape(self, name: str, x: ir.Value, shape: Sequence[Extent]) -> ir.Value:
        """To a shape of which the batch, which stays, and one other extent may be dynamic."""
        sizes = [0, *(extent if isinstance(extent, int) else -1 for extent in shape[1:])]
        assert sizes.count(-1) <= 1, f"{name}: {shape}"
        return self.op(name, "Reshape", [x, self.ints(*sizes)], shape)

    def transpose(self, name: str, x: ir.Value, order: Sequence[int]) -> ir.Value:
        """``Transpose``."""
        shape = shape_of(x)
        return self.op(name, "Transpose", [x], [shape[i] for i in order], {"perm": tuple(order)})
