"""What stands for a tensor while a module is traced: it knows its shape, but no number."""

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, NoReturn
from weakref import WeakSet

import onnx_ir as ir
import torch

from export.builder import Dim, shape_of
from export.frontend.length import SIGNS, Length, Shape
from hifigan_ref.errors import HifiError

if TYPE_CHECKING:
    from export.frontend.tracer import Tracer


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
        if any(not issubclass(each, cls | torch.Tensor) for each in types):
            return NotImplemented  # another kind of argument knows what to do
        first = next(_symbols((args, kwargs)))
        return first.tracer.call(func.__name__, args, dict(kwargs or {}))

    __hash__ = object.__hash__

    def __getattr__(self, name: str) -> Any:
        """A method of PyTorch's tensors."""
        if name.startswith("__"):
            raise AttributeError(name)
        if name in {"T", "mT"}:
            return self.tracer.call("t", (self,), {})
        self.tracer.demand(name)
        return lambda *args, **kwargs: self.tracer.call(name, (self, *args), kwargs)

    @property
    def shape(self) -> Shape:
        """Numbers, and lengths where they are dynamic."""
        return Shape(
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


def _refused(how: str) -> Callable[..., NoReturn]:
    def method(self: Symbol, *_: Any, **__: Any) -> NoReturn:
        del self
        raise HifiError(
            f"{how} of a tensor needs its numbers before the graph runs: compute with tensors "
            "alone (torch.clamp, torch.maximum)"
        )

    return method


def _comparison(sign: str) -> Callable[[Symbol, Any], bool]:
    def method(self: Symbol, other: Any) -> bool:
        if other is self and sign == "==":
            return True  # of sets of symbols
        raise HifiError(
            f"a comparison of a tensor ({sign}) has no ONNX form here: use torch.clamp, "
            "torch.maximum or torch.minimum"
        )

    return method


for _name in ("add", "sub", "mul", "truediv", "pow", "matmul", "floordiv", "mod"):
    setattr(Symbol, f"__{_name}__", _operator(_name))
    setattr(Symbol, f"__r{_name}__", _operator(f"r{_name}"))
    setattr(Symbol, f"__i{_name}__", _operator(f"{_name}_"))
for _name in ("abs", "neg"):
    setattr(Symbol, f"__{_name}__", _operator(_name))
for _name, _how in {"bool": "a branch on the value", "int": "int()", "float": "float()",
                    "index": "index()", "complex": "complex()"}.items():  # fmt: skip
    setattr(Symbol, f"__{_name}__", _refused(_how))
for _name in ("item", "tolist", "numpy"):
    setattr(Symbol, _name, _refused(f"{_name}()"))
for _name, _sign in SIGNS.items():
    setattr(Symbol, f"__{_name}__", _comparison(_sign))
