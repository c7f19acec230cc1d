"""A user's own module as a network: its signature as declared, or out of the shapes it is given."""

import inspect
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from math import prod
from typing import TYPE_CHECKING, Any

from hifigan_ref.audio import CLIP_RATE
from hifigan_ref.errors import HifiError, named
from hifigan_ref.module_file import load_class, source_digest
from hifigan_ref.module_spec import HOW, ModuleSpec, Shape
from hifigan_ref.named_outputs import named_outputs
from hifigan_ref.network import BATCH, Axis, Footprint, Port, Signature, Sizes, in_words

if TYPE_CHECKING:
    from torch import Tensor, nn

DIGITS = 16  # of a digest
DECLARED = "SIGNATURE"  # attribute of the class
SAMPLES = "samples"
TYPICAL = {BATCH: 2, SAMPLES: 8192, "frames": 64}  # by names that people give
FAR = 64  # lengths that are tried, from there down
ELSE = 256  # typical length of an axis of which nothing is known
LARGEST = {BATCH: 32, SAMPLES: 220500}


class ModuleNetwork:
    """A class in a file.

    Args:
        spec: which.

    Raises:
        HifiError: it is not there, or its signature does not fit it.
    """

    noun = "part"
    parts: tuple[str, ...] = ()

    def __init__(self, spec: ModuleSpec) -> None:
        self.kind = load_class(spec)
        digest = source_digest(spec.file)[:DIGITS]
        if spec.digest not in ("", digest):
            raise HifiError(
                f"{spec.file} is not the source that made this ({digest} instead of {spec.digest}):"
                " run the command again, or give the file as it was"
            )
        self.spec = replace(spec, digest=digest)
        self.name = str(self.spec)

    def build(self, parts: Sequence[str] = ()) -> "nn.Module":
        """A new one. Raises HifiError where the class cannot be made without arguments."""
        del parts
        try:
            return self.kind().eval()
        except HifiError:
            raise
        except Exception as error:  # noqa: BLE001 - a user's code
            raise HifiError(
                f"{self.spec.told}: {self.spec.name}() fails: {named(error)}: give a class that "
                "needs no arguments, such as one that calls yours"
            ) from None

    def function(self, module: "nn.Module", parts: Sequence[str], alone: bool) -> "nn.Module":
        """The module itself."""
        del parts, alone
        return module

    def signature(self, parts: Sequence[str] = (), alone: bool = False) -> Signature:
        """As declared, else of the shapes that were given, and what the module makes of them."""
        del parts, alone
        return self._signature

    def scopes(self, parts: Sequence[str]) -> Mapping[str, str]:
        """None: it is one part."""
        del parts
        return {}

    def folds(self, parts: Sequence[str]) -> None:
        """Nobody knows."""
        del parts

    def footprint(self, parts: Sequence[str]) -> Footprint:
        """Of the module, and of its outputs at typical lengths."""
        del parts
        return self._footprint

    @cached_property
    def _signature(self) -> Signature:
        declared = getattr(self.kind, DECLARED, None)
        if declared is not None:
            if not isinstance(declared, Signature):
                raise HifiError(f"{self.spec.told}: {DECLARED} is no hifigan_ref.network.Signature")
            if self.spec.inputs:
                raise HifiError(f"{self.spec.told} declares its {DECLARED}: leave out --input")
            self._check_names([port.name for port in declared.inputs])
            self._check_outputs(declared)
            return declared
        if not self.spec.inputs:
            wanted = " ".join(f"--input {name}=..." for name in self._parameters)
            raise HifiError(
                f"{self.spec.told} declares no {DECLARED}: say what it takes ({wanted}): {HOW}"
            )
        self._check_names([name for name, _ in self.spec.inputs])
        return Signature(self._inputs, self._outputs)

    @cached_property
    def _parameters(self) -> Mapping[str, inspect.Parameter]:
        found = inspect.signature(self.kind.forward).parameters
        return {name: each for place, (name, each) in enumerate(found.items()) if place}

    def _check_names(self, names: Sequence[str]) -> None:
        """Raises HifiError where the forward takes other inputs."""
        needed = [
            n
            for n, p in self._parameters.items()
            if p.default is p.empty and p.kind != p.VAR_KEYWORD
        ]
        unknown = [name for name in names if name not in self._parameters]
        missing = [name for name in needed if name not in names]
        if unknown or missing:
            told = [f"it has no input {', '.join(unknown)}"] if unknown else []
            told += [f"{', '.join(missing)} is missing"] if missing else []
            raise HifiError(
                f"{self.spec.told}: {' and '.join(told)}: its forward takes "
                f"{', '.join(self._parameters) or 'nothing'}"
            )

    def _check_outputs(self, declared: Signature) -> None:
        """Raises HifiError where the module makes something else of typical lengths."""
        sizes = declared.typical
        found = {name: tuple(tensor.shape) for name, tensor in self._run(sizes).items()}
        told = {port.name: _sized(port, sizes) for port in declared.outputs}
        for name, shape in told.items():
            made = found.get(name, ())
            fits = len(shape) == len(made) and all(
                each in (None, there) for each, there in zip(shape, made, strict=True)
            )
            if not fits:
                there = ", ".join(f"{n} {each}" for n, each in found.items())
                raise HifiError(
                    f"{self.spec.told}: its {DECLARED} says {name} {shape}, its forward gives "
                    f"{there} for {in_words(sizes)}"
                )

    @cached_property
    def _inputs(self) -> tuple[Port, ...]:
        """As they were given, with the smallest lengths that the module takes."""
        typical = {axis.name: axis.typical for axis in axes_of(self._ports)}
        self._run(typical)
        smallest = {name: self._shortest(name, typical) for name in typical}
        return tuple(
            replace(port, shape=tuple(_from(each, smallest) for each in port.shape))
            for port in self._ports
        )

    @cached_property
    def _ports(self) -> tuple[Port, ...]:
        """The same, of whatever length from 1 up."""
        declared = getattr(self.kind, DECLARED, None)
        if declared is not None:
            return tuple(declared.inputs)
        return tuple(_port(name, shape) for name, shape in self.spec.inputs)

    def _shortest(self, name: str, typical: Sizes) -> int:
        """The length from which on the module took every one that was tried."""
        for length in range(min(typical[name], FAR), 0, -1):
            try:
                self._run({**typical, name: length})
            except HifiError:
                return length + 1
        return 1

    @cached_property
    def _outputs(self) -> tuple[Port, ...]:
        axes = axes_of(self._inputs)
        typical = {axis.name: axis.typical for axis in axes}
        first = self._run(typical)
        shapes = {name: list(tensor.shape) for name, tensor in first.items()}
        dims: dict[str, list[Any]] = {name: list(shape) for name, shape in shapes.items()}
        for axis in axes:
            longer = self._run({**typical, axis.name: 2 * axis.typical})
            for name, shape in shapes.items():
                for place, (a, b) in enumerate(zip(shape, longer[name].shape, strict=True)):
                    if a != b:
                        same = axis.name == BATCH and (a, b) == (axis.typical, 2 * axis.typical)
                        dims[name][place] = axis if same else None
        return tuple(Port(name, tuple(each)) for name, each in dims.items())

    def _run(self, sizes: Sizes) -> "Mapping[str, Tensor]":
        """What the module makes of inputs without values. Raises HifiError where it fails."""
        import torch

        shapes = {port.name: port.sized(sizes) for port in self._ports}
        try:
            with torch.no_grad(), torch.device("meta"):
                module = self._on_meta
                found = module(**{name: torch.empty(shape) for name, shape in shapes.items()})
        except Exception as error:  # noqa: BLE001 - a user's code
            told = ", ".join(f"{n} {tuple(shape)}" for n, shape in shapes.items())
            raise HifiError(f"{self.spec.told} fails on {told}: {named(error)}") from None
        return tensors_of(named_outputs(found), self.spec)

    @cached_property
    def _on_meta(self) -> "nn.Module":
        return self.build().to("meta")

    @cached_property
    def _footprint(self) -> Footprint:
        typical = self._signature.typical
        taken = sum(prod(port.sized(typical)) for port in self._signature.inputs)
        given = sum(tensor.numel() for tensor in self._run(typical).values())
        parameters = sum(each.numel() for each in self._on_meta.parameters())
        return Footprint(parameters, given / taken)


def _sized(port: Port, sizes: Sizes) -> tuple[int | None, ...]:
    return tuple(sizes[each.name] if isinstance(each, Axis) else each for each in port.shape)


def axes_of(ports: Sequence[Port]) -> tuple[Axis, ...]:
    """Each once."""
    found = {each.name: each for port in ports for each in port.shape if isinstance(each, Axis)}
    return tuple(found.values())


def _axis(dim: int | str) -> int | Axis:
    """What an axis of that name probably is."""
    if not isinstance(dim, str):
        return dim
    typical = TYPICAL.get(dim, ELSE)
    unit_s = 1 / CLIP_RATE if dim == SAMPLES else None
    return Axis(dim, 1, typical, LARGEST.get(dim, 16 * typical), unit_s=unit_s)


def _port(name: str, shape: Shape) -> Port:
    """A single channel over samples is a waveform."""
    wave = shape[-1] == SAMPLES and all(dim in (1, BATCH) for dim in shape[:-1])
    return Port(name, tuple(map(_axis, shape)), role="waveform" if wave else "other")


def _from(dim: int | Axis | None, smallest: Sizes) -> int | Axis | None:
    return replace(dim, smallest=smallest[dim.name]) if isinstance(dim, Axis) else dim


def tensors_of(found: Mapping[str, Any], spec: ModuleSpec) -> "Mapping[str, Tensor]":
    """Outputs that are tensors. Raises HifiError where one is something else."""
    from torch import Tensor

    for name, each in found.items():
        if not isinstance(each, Tensor):
            raise HifiError(
                f"{spec.told} returns {type(each).__name__} ({name}): return tensors alone"
            )
    return found
