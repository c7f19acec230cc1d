"""Runs a module on symbols and writes what it computes as a graph."""

import inspect
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import onnx_ir as ir
import torch
from torch import nn
from torch.nn.modules.module import (
    register_module_forward_hook,
    register_module_forward_pre_hook,
)

from export.builder import Builder, Constant, Dim
from export.frontend.length import Length
from export.frontend.symbol import Symbol
from export.operators.table import WEIGHTED, moves_only, writer_of
from hifigan_ref.errors import HifiError, in_one_line
from hifigan_ref.norms import norm_of

LIBRARIES = (Path(torch.__file__).parent, Path(__file__).parents[1])
COPIES = frozenset(
    {"cat", "clone", "concat", "concatenate", "index_select", "interpolate", "pad", "stack"}
)  # what moves numbers to memory of its own
SPELLINGS = {"axis": "dim", "keepdims": "keepdim"}  # that PyTorch takes too


class Tracer:
    """One module being traced.

    Args:
        function: the module.
        opset: that the graph will state.
        rename: paths of layers and parameters as the graph names them.
    """

    def __init__(self, function: nn.Module, opset: int, rename: Callable[[str], str]) -> None:
        self.graph = Builder(opset=opset)
        self._paths = {id(each): rename(path) for path, each in function.named_modules()}
        own = (*function.named_parameters(), *function.named_buffers())
        self._names = {id(tensor): rename(path) for path, tensor in own}
        self._used = set(self._names.values())
        self._constants: dict[int, tuple[torch.Tensor, Constant]] = {}
        self._layers: list[str | None] = []

    def name(self, base: str) -> str:
        """A name that no value has yet."""
        name, count = base, 0
        while name in self._used:
            count += 1
            name = f"{base}_{count}"
        self._used.add(name)
        return name

    def demand(self, function: str) -> None:
        """Raises HifiError where a method has no ONNX form."""
        writer_of(function.removesuffix("_"))

    def call(self, function: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """A function or a method of PyTorch on symbols; one that ends in _ works in place."""
        base = function.strip("_")
        in_place = kwargs.pop("inplace", False) or function == f"{base}_"
        writer = writer_of(base)
        if "input" in kwargs:
            args = (kwargs.pop("input"), *args)
        name = self._name_in_layer(base)
        given = [self._unwrapped(name, each) for each in args]
        named = {
            SPELLINGS.get(key, key): self._unwrapped(name, each)
            for key, each in kwargs.items()
            if not key.startswith("_")
        }
        try:
            inspect.signature(writer).bind(self.graph, name, *given, **named)
        except TypeError as error:
            raise HifiError(f"{base}: {in_one_line(error)}: that has no ONNX form here") from None
        made = writer(self.graph, name, *given, **named)
        first = next((each for each in args if isinstance(each, Symbol)), None)
        if in_place and first is not None:
            return first.assign(made)
        return self.wrapped(made, None if base in COPIES else first)

    def wrapped(self, made: Any, source: Symbol | None = None) -> Any:
        """Symbols for values, which share memory with their source where nothing was computed."""
        if isinstance(made, Dim):
            return Length(self, lambda: made, made.axis)
        if isinstance(made, list):
            return tuple(self.wrapped(each, source) for each in made)
        if not isinstance(made, ir.Value):
            return made
        node = made.producer()
        shares = source is not None and (made is source.value or (node and moves_only(node)))
        return source.view_of(made) if source is not None and shares else Symbol(self, made)

    def _unwrapped(self, name: str, given: Any) -> Any:
        if isinstance(given, Symbol):
            return given.value
        if isinstance(given, Length):
            return given.dim
        if isinstance(given, torch.Tensor):
            return self._constant(name, given)
        if isinstance(given, slice):
            return slice(*(self._unwrapped(name, e) for e in (given.start, given.stop, given.step)))
        if isinstance(given, list | tuple):
            return type(given)(self._unwrapped(name, each) for each in given)
        return given

    def _constant(self, name: str, tensor: torch.Tensor) -> Constant:
        if tensor.is_floating_point() and tensor.ndim and tensor.dtype != torch.float32:
            raise HifiError(
                f"a constant of {tensor.dtype} beside tensors of float32: call float() on it"
            )
        if id(tensor) not in self._constants:
            known = self._names.get(id(tensor)) or self.name(f"{name}.constant")
            made = Constant(known, tensor.detach().cpu().numpy())
            self._constants[id(tensor)] = (tensor, made)  # kept, or another could get its id
        return self._constants[id(tensor)][1]

    def _name_in_layer(self, function: str) -> str:
        """A layer of PyTorch gives its path to what weighs in it."""
        path = self._layers[-1] if self._layers else None
        if path is None:
            return self.name(function)
        return self.name(path if function in WEIGHTED else f"{path}.{function}")

    @contextmanager
    def layers(self) -> Iterator[None]:
        """In which every module that is called gives its name to what it computes."""
        hooks = (
            register_module_forward_pre_hook(self._enter),
            register_module_forward_hook(self._leave),
        )
        try:
            with torch.no_grad():
                yield
        finally:
            for hook in hooks:
                hook.remove()

    def _enter(self, module: nn.Module, _inputs: Any) -> None:
        if norm_of(module) != "none":
            raise HifiError(
                f"{self._paths.get(id(module))} has a norm: fold it into its weight first"
            )
        children = next(module.children(), None)
        ours = type(module).__module__.startswith("torch.nn") and children is None
        self._layers.append(self._paths.get(id(module)) if ours else None)

    def _leave(self, _module: nn.Module, _inputs: Any, made: Any) -> None:
        """The last value of a layer has the layer's name, where nothing that weighs has it."""
        path = self._layers.pop()
        if path is None or not isinstance(made, Symbol):
            return
        value, node = made.value, made.value.producer()
        if node is not None and str(value.name).startswith(f"{path}.") and path not in self._used:
            value.name = node.name = self.name(path)


def place_of(error: BaseException) -> str:
    """``file.py:12: `` of the user's innermost line that an error passed through, or ""."""
    frames = traceback.extract_tb(error.__traceback__)
    theirs = [f for f in frames if not any(Path(f.filename).is_relative_to(p) for p in LIBRARIES)]
    return f"{theirs[-1].filename}:{theirs[-1].lineno}: " if theirs else ""
