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
from torch.nn.utils import parametrize

from export.builder import Builder, Constant, Dim
from export.operators.table import WEIGHTED, moves_only, writer_of
from export.symbol import Length, Symbol
from hifigan_ref.errors import HifiError, in_one_line
from hifigan_ref.norms import norm_of

LIBRARIES = (Path(torch.__file__).parent, Path(__file__).parent)


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
        self._tensors: dict[int, Constant] = {}
        for path, tensor in (*function.named_parameters(), *function.named_buffers()):
            self._tensors[id(tensor)] = Constant(rename(path), tensor.detach().numpy())
        self._alive: list[torch.Tensor] = []
        self._layers: list[str | None] = []
        self._used: set[str] = set()

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
        kwargs = {key: each for key, each in kwargs.items() if not key.startswith("_")}
        given = [self._unwrapped(name, each) for each in args]
        named = {key: self._unwrapped(name, each) for key, each in kwargs.items()}
        try:
            inspect.signature(writer).bind(self.graph, name, *given, **named)
        except TypeError as error:
            raise HifiError(f"{base}: {in_one_line(error)}: that has no ONNX form here") from None
        made = writer(self.graph, name, *given, **named)
        first = next((each for each in args if isinstance(each, Symbol)), None)
        if in_place and first is not None:
            return first.assign(made)
        return self.wrapped(made, first)

    def wrapped(self, made: Any, source: Symbol | None = None) -> Any:
        """Symbols for values, which share memory with their source where nothing was computed."""
        if isinstance(made, Dim):
            return Length(self, lambda: made, made.axis)
        if isinstance(made, list):
            return tuple(self.wrapped(each, source) for each in made)
        if not isinstance(made, ir.Value):
            return made
        if source is None:
            return Symbol(self, made)
        node = made.producer()
        shares = made is source.value or (node is not None and moves_only(node))
        return source.view_of(made) if shares else Symbol(self, made)

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
        if tensor.dtype == torch.float64 and tensor.ndim:
            raise HifiError("a constant of float64 beside tensors of float32: make it float32")
        if id(tensor) not in self._tensors:
            self._alive.append(tensor)  # or another one could get its id
            array = tensor.detach().cpu().numpy()
            self._tensors[id(tensor)] = Constant(self.name(f"{name}.constant"), array)
        return self._tensors[id(tensor)]

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
        if norm_of(module) != "none" or parametrize.is_parametrized(module):
            raise HifiError(
                f"{self._paths.get(id(module))} has a norm: fold it into its weight first"
            )
        ours = type(module).__module__.startswith("torch.nn")
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
