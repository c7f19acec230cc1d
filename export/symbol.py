"""What stands for a tensor, and for a length, while a module is traced.

A symbol knows its shape but no number. Whatever would need a number before the graph runs (a branch
on a length, a loop over a tensor) is an error here, so that nothing can be frozen.
"""

from collections.abc import Callable, Iterator, Mapping
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any, NoReturn
from weakref import WeakSet

import onnx_ir as ir
import torch

from export.builder import Dim, shape_of
from export.operators.lengths import ARITHMETIC, negative
from hifigan_ref.errors import HifiError

if TYPE_CHECKING:
    from export.tracer import Tracer

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

    def __neg__(self) -> Any:
        """-T."""
        graph, name = self.tracer.graph, self.tracer.name("neg")
        return self.tracer.wrapped(negative(graph, name, self.dim))

    def _compared(self, sign: str) -> NoReturn:
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
        return self._compared("==")

    def __hash__(self) -> int:
        """Of the value in the graph."""
        return id(self.dim.value)

    def __bool__(self) -> bool:
        """No number is known."""
        return self._compared("!= 0")

    def number(self, how: str) -> NoReturn:
        """Raises HifiError: there is none before the graph runs."""
        raise HifiError(
            f"{how} of a length ({self._what()}) needs its number before the graph runs: compute "
            "with + - * // % alone, or fix the axis"
        )

    def _what(self) -> str:
        return self._axis or str(self.dim.value.name)


def _length_operator(function: str, reverse: bool) -> Callable[[Length, Any], Any]:
    def method(self: Length, other: Any) -> Any:
        if isinstance(other, Symbol):
            return NotImplemented
        if not isinstance(other, int | Length):
            self.number(f"{function} with {type(other).__name__}")
        graph, name = self.tracer.graph, self.tracer.name(function)
        mine, others = self.dim, other.dim if isinstance(other, Length) else other
        x, y = (others, mine) if reverse else (mine, others)
        return self.tracer.wrapped(ARITHMETIC[function](graph, name, x, y))

    return method


class Symbol:
    """A tensor of the graph that is being written.

    Attributes:
        value: in the graph.
    """

    dtype = torch.float32
    device = torch.device("cpu")
    layout = torch.strided
    requires_grad = is_cuda = is_sparse = is_quantized = is_nested = False

    def __init__(
        self, tracer: "Tracer", value: ir.Value, views: "WeakSet[Symbol] | None" = None
    ) -> None:
        self.tracer = tracer
        self.value = value
        self._views = WeakSet() if views is None else views
        self._views.add(self)

    @classmethod
    def __torch_function__(
        cls,
        func: Callable[..., Any],
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        """A function of PyTorch was given a symbol."""
        del types
        first = next(_symbols((args, kwargs)))
        return first.tracer.call(func.__name__, args, dict(kwargs or {}))

    def __getattr__(self, name: str) -> Any:
        """A method of PyTorch's tensors."""
        if name.startswith("__"):
            raise AttributeError(name)
        if name in {"T", "mT"}:
            return self.tracer.call("t", (self,), {})
        self.tracer.demand(name)
        return lambda *args, **kwargs: self.tracer.call(name, (self, *args), kwargs)

    @property
    def shape(self) -> tuple[Any, ...]:
        """Numbers, and lengths where they are dynamic."""
        return tuple(
            extent if isinstance(extent, int) else Length(self.tracer, self._extent(i), extent)
            for i, extent in enumerate(shape_of(self.value))
        )

    def _extent(self, axis: int) -> Callable[[], int | Dim]:
        return partial(self.tracer.graph.extent, self.value, axis)

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return len(shape_of(self.value))

    def dim(self) -> int:
        """Number of axes."""
        return self.ndim

    def size(self, dim: int | None = None) -> Any:
        """The shape, or one length."""
        return self.shape if dim is None else self.shape[dim]

    def is_floating_point(self) -> bool:
        """Whether it holds real numbers."""
        return True

    def to(self, *args: Any, **kwargs: Any) -> "Symbol":
        """To where and what it is already."""
        for target in (*args, *kwargs.values()):
            if isinstance(target, torch.dtype) and target != torch.float32:
                raise HifiError(f"to({target}): the graph computes in float32: leave it out")
        return self

    def type_as(self, other: Any) -> "Symbol":
        """The same type."""
        return self.to(other.dtype)

    def assign(self, value: ir.Value) -> "Symbol":
        """What was computed in place."""
        if len(self._views) > 1:
            raise HifiError(
                "an operation in place on a tensor that another one shares its memory with: write "
                "it without inplace=True"
            )
        self.value = value
        return self

    def view_of(self, value: ir.Value) -> "Symbol":
        """A symbol that shares memory with this one."""
        return Symbol(self.tracer, value, self._views)

    def __getitem__(self, index: Any) -> Any:
        """``x[index]``."""
        return self.tracer.call("getitem", (self, index), {})

    def __setitem__(self, index: Any, value: Any) -> None:
        """Tensors are not changed in part."""
        raise HifiError("x[...] = ... changes a tensor in part: build it with torch.cat instead")

    def __len__(self) -> int:
        """Length of the first axis."""
        length = self.shape[0]
        return length if isinstance(length, int) else length.number("len()")

    def __iter__(self) -> Iterator[Any]:
        """The rows, where their number is fixed."""
        length = self.shape[0]
        if not isinstance(length, int):
            length.number("a loop over the rows")
        return iter([self[i] for i in range(length)])


def _symbols(nested: Any) -> Iterator[Symbol]:
    if isinstance(nested, Symbol):
        yield nested
    elif isinstance(nested, list | tuple):
        for each in nested:
            yield from _symbols(each)
    elif isinstance(nested, Mapping):
        yield from _symbols(tuple(nested.values()))


def _operator(function: str) -> Callable[..., Any]:
    def method(self: Symbol, *others: Any) -> Any:
        return self.tracer.call(function, (self, *others), {})

    return method


def _refused(how: str) -> Callable[..., Any]:
    def method(self: Any, *_: Any, **__: Any) -> Any:
        if isinstance(self, Length):
            self.number(how)
        raise HifiError(
            f"{how} of a tensor needs its numbers before the graph runs: compute with tensors "
            "alone (torch.clamp, torch.maximum)"
        )

    return method


def _comparison(sign: str) -> Callable[..., Any]:
    def method(self: Any, _other: Any) -> Any:
        if isinstance(self, Length):
            self._compared(sign)
        raise HifiError(
            f"a comparison of a tensor ({sign}) has no ONNX form here: use torch.clamp, "
            "torch.maximum or torch.minimum"
        )

    return method


BINARY = ("add", "sub", "mul", "truediv", "pow", "matmul", "floordiv", "mod")
NUMBERS = ("int", "float", "index", "round", "ceil", "floor", "trunc", "abs")

for _name in ARITHMETIC:
    setattr(Length, f"__{_name}__", _length_operator(_name, reverse=False))
    setattr(Length, f"__r{_name}__", _length_operator(_name, reverse=True))
for _name in (*NUMBERS, "truediv", "rtruediv", "pow"):
    setattr(Length, f"__{_name}__", _refused(_name))
for _name in BINARY:
    setattr(Symbol, f"__{_name}__", _operator(_name))
    setattr(Symbol, f"__r{_name}__", _operator(f"r{_name}"))
    setattr(Symbol, f"__i{_name}__", _operator(f"{_name}_"))
Symbol.__bool__ = _refused("a branch on the value")  # type: ignore[attr-defined]
for _name in ("int", "float", "index"):
    setattr(Symbol, f"__{_name}__", _refused(f"{_name}()"))
for _name in ("item", "tolist", "numpy"):
    setattr(Symbol, _name, _refused(f"{_name}()"))
for _sign, _name in (("<", "lt"), ("<=", "le"), (">", "gt"), (">=", "ge"), ("!=", "ne")):
    setattr(Length, f"__{_name}__", _comparison(_sign))
    setattr(Symbol, f"__{_name}__", _comparison(_sign))
for _name in ("abs", "neg"):
    setattr(Symbol, f"__{_name}__", _operator(_name))
