"""What stands for the length of a dynamic axis while a module is traced.

Whatever would need its number before the graph runs (a branch, a loop) is an error here, so that
none can be frozen.
"""

from collections.abc import Callable
from functools import cached_property
from math import prod
from typing import TYPE_CHECKING, Any, NoReturn

from export.builder import Dim
from export.operators.lengths import ARITHMETIC, negative
from hifigan_ref.errors import HifiError

if TYPE_CHECKING:
    from export.frontend.tracer import Tracer

BRANCH_FREE = "write it without a branch, as F.pad(x, (0, -x.shape[-1] % p))"


class Length:
    """The length of a dynamic axis, or what is computed from it.

    Args:
        tracer: of the graph.
        make: writes it; not before it is used.
        axis: name of the axis that is so long, or None.
    """

    def __init__(self, tracer: "Tracer", make: Callable[[], int | Dim], axis: str | None) -> None:
        self.tracer = tracer
        self._make = make
        self._axis = axis

    @cached_property
    def dim(self) -> Dim:
        """In the graph."""
        made = self._make()
        assert isinstance(made, Dim), "a length that is fixed is a number"
        return made

    def enter(self) -> None:
        """Write it, where that is not done yet."""
        self.dim  # noqa: B018 - kept from then on

    def __neg__(self) -> Any:
        """-T."""
        graph, name = self.tracer.graph, self.tracer.name("neg")
        return self.tracer.wrapped(negative(graph, name, self.dim))

    def compared(self, sign: str) -> NoReturn:
        """Raises HifiError: what is longer is known when the graph runs."""
        raise HifiError(
            f"a branch on a length ({self._what()} {sign} ...) would hold for this length alone: "
            f"{BRANCH_FREE}, or fix the axis"
        )

    def __eq__(self, other: object) -> bool:
        """Whether both are the length of one axis: all that is known before the graph runs."""
        if isinstance(other, Length):
            named = self._axis is not None and self._axis == other._axis
            if named or self.dim.value is other.dim.value:
                return True
        return self.compared("==")

    def __hash__(self) -> int:
        """Of the value in the graph."""
        return id(self.dim.value)

    def __bool__(self) -> bool:
        """No number is known."""
        return self.compared("!= 0")

    def number(self, how: str) -> NoReturn:
        """Raises HifiError: there is none before the graph runs."""
        raise HifiError(
            f"{how} of a length ({self._what()}) needs its number before the graph runs: compute "
            "with + - * // % alone, or fix the axis"
        )

    def _what(self) -> str:
        return self._axis or str(self.dim.value.name)


class Shape(tuple[Any, ...]):
    """Lengths of all axes; a dynamic one enters the graph where it is first asked for."""

    __slots__ = ()

    def __getitem__(self, index: Any) -> Any:
        """One length, or a shape of several."""
        found = super().__getitem__(index)
        if isinstance(found, Length):
            found.enter()
        return Shape(found) if isinstance(index, slice) else found

    def numel(self) -> Any:
        """How many numbers there are."""
        return prod(self)


def _length_operator(function: str, reverse: bool) -> Callable[[Length, Any], Any]:
    def method(self: Length, other: Any) -> Any:
        if is_tensor(other):
            return NotImplemented
        if not isinstance(other, int | Length):
            self.number(f"{function} with {type(other).__name__}")
        graph, name = self.tracer.graph, self.tracer.name(function)
        mine, others = self.dim, other.dim if isinstance(other, Length) else other
        x, y = (others, mine) if reverse else (mine, others)
        return self.tracer.wrapped(ARITHMETIC[function](graph, name, x, y))

    return method


def _refused(how: str) -> Callable[..., Any]:
    def method(self: Length, *others: Any) -> Any:
        return NotImplemented if any(map(is_tensor, others)) else self.number(how)

    return method


def _comparison(sign: str) -> Callable[[Length, Any], NoReturn]:
    def method(self: Length, _other: Any) -> NoReturn:
        self.compared(sign)

    return method


def is_tensor(given: Any) -> bool:
    """Whether PyTorch takes something for a tensor."""
    return hasattr(type(given), "__torch_function__")


SIGNS = {"lt": "<", "le": "<=", "gt": ">", "ge": ">=", "ne": "!=", "eq": "=="}
NUMBERS = ("int", "float", "index", "round", "ceil", "floor", "trunc", "abs", "truediv", "pow")

for _name in ARITHMETIC:
    setattr(Length, f"__{_name}__", _length_operator(_name, reverse=False))
    setattr(Length, f"__r{_name}__", _length_operator(_name, reverse=True))
for _name in (*NUMBERS, "rtruediv"):
    setattr(Length, f"__{_name}__", _refused(_name))
for _name, _sign in SIGNS.items():
    if _name != "eq":
        setattr(Length, f"__{_name}__", _comparison(_sign))
