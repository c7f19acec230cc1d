"""What a module takes and gives, found by running it on tensors that have shapes and no values."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hifigan_ref.errors import HifiError, named
from hifigan_ref.module_file import line_of
from hifigan_ref.named_outputs import named_outputs
from hifigan_ref.network import (
    BATCH,
    SAMPLES,
    Axis,
    Dimension,
    Footprint,
    Port,
    Role,
    Signature,
    Sizes,
)
from hifigan_ref.rate import CLIP_RATE

if TYPE_CHECKING:
    from torch import Tensor, nn

FRAMES = "frames"
TYPICAL = {BATCH: 2, SAMPLES: 8192, FRAMES: 64}  # by names that people give
FAR = 64  # lengths that are tried, from there down
ELSE = 256  # typical length of an axis of which nothing is known
RESIDUES = (3, 5, 16)  # strides and folds of people's networks, of which nobody tells us
LARGEST = {BATCH: 32, SAMPLES: 220500}


class Probe:
    """A module that is run without values.

    Args:
        make: builds it.
        ports: what it takes, at whatever lengths from 1 up.
        told: what it is called in messages: its file, and perhaps its class behind a colon.
    """

    def __init__(self, make: "Callable[[], nn.Module]", ports: Sequence[Port], told: str) -> None:
        self._make = make
        self._ports = tuple(ports)
        self._told = told

    def run(self, sizes: Sizes) -> "Mapping[str, Tensor]":
        """Its outputs by name.

        Raises:
            HifiError: it fails on these lengths, or returns something else than tensors.
        """
        import torch

        shapes = {port.name: port.sized(sizes) for port in self._ports}
        try:
            with torch.no_grad(), torch.device("meta"):
                module = self._module
                found = module(**{name: torch.empty(shape) for name, shape in shapes.items()})
        except Exception as error:  # noqa: BLE001 - a user's code
            told = ", ".join(f"{n} {tuple(shape)}" for n, shape in shapes.items())
            line = line_of(error, Path(self._told.rpartition(":")[0]))
            raise HifiError(f"{self._told} fails on {told}{line}: {named(error)}") from None
        return self._tensors(named_outputs(found))

    def signature(self) -> Signature:
        """Inputs with the smallest lengths that the module takes, and what it makes of them."""
        typical = {axis.name: axis.typical for axis in axes_of(self._ports)}
        first = self.run(typical)
        smallest = {name: self._shortest(name, typical) for name in typical}
        inputs = tuple(
            replace(port, shape=tuple(_from(each, smallest) for each in port.shape))
            for port in self._ports
        )
        return Signature(inputs, self._outputs(axes_of(inputs), typical, first))

    def footprint(self, signature: Signature) -> Footprint:
        """Of the module, and of its outputs at typical lengths."""
        taken = sum(prod(port.sized(signature.typical)) for port in signature.inputs)
        given = sum(tensor.numel() for tensor in self.run(signature.typical).values())
        parameters = sum(each.numel() for each in self._module.parameters())
        return Footprint(parameters, given / taken)

    @cached_property
    def _module(self) -> "nn.Module":
        return self._make().to("meta")

    def _shortest(self, name: str, typical: Sizes) -> int:
        """The length from which on the module took every one that was tried."""
        for length in range(min(typical[name], FAR), 0, -1):
            try:
                self.run({**typical, name: length})
            except HifiError:
                return length + 1
        return 1

    def _outputs(
        self, axes: Sequence[Axis], typical: Sizes, first: "Mapping[str, Tensor]"
    ) -> tuple[Port, ...]:
        shapes = {name: list(tensor.shape) for name, tensor in first.items()}
        dims: dict[str, list[Any]] = {name: list(shape) for name, shape in shapes.items()}
        for axis in axes:
            longer = self.run({**typical, axis.name: 2 * axis.typical})
            for name, shape in shapes.items():
                for place, (a, b) in enumerate(zip(shape, longer[name].shape, strict=True)):
                    if a != b:
                        same = axis.name == BATCH and (a, b) == (axis.typical, 2 * axis.typical)
                        dims[name][place] = axis if same else None
        return tuple(Port(name, tuple(each)) for name, each in dims.items())

    def _tensors(self, found: Mapping[str, Any]) -> "Mapping[str, Tensor]":
        from torch import Tensor

        for name, each in found.items():
            if not isinstance(each, Tensor):
                raise HifiError(
                    f"{self._told} returns {type(each).__name__} ({name}): return tensors alone"
                )
        return found


def axes_of(ports: Sequence[Port]) -> tuple[Axis, ...]:
    """Each once."""
    found = {each.name: each for port in ports for each in port.shape if isinstance(each, Axis)}
    return tuple(found.values())


def port_of(name: str, shape: Sequence[int | str]) -> Port:
    """An input by the names of its axes.

    A single channel over samples is a waveform; bins over frames, where named so, are a mel.
    """
    wave = shape[-1:] == (SAMPLES,) and all(dim in (1, BATCH) for dim in shape[:-1])
    mel = "mel" in name and shape[1:] and shape[-1] == FRAMES and isinstance(shape[-2], int)
    role: Role = "waveform" if wave else "spectrogram" if mel else "other"
    return Port(name, tuple(map(_axis, shape)), role=role)


def _axis(dim: int | str) -> int | Axis:
    """What an axis of that name probably is."""
    if not isinstance(dim, str):
        return dim
    typical = TYPICAL.get(dim, ELSE)
    unit_s = 1 / CLIP_RATE if dim == SAMPLES else None
    residues = () if dim == BATCH else RESIDUES
    return Axis(dim, 1, typical, LARGEST.get(dim, 16 * typical), residues, unit_s)


def _from(dim: Dimension, smallest: Sizes) -> Dimension:
    return replace(dim, smallest=smallest[dim.name]) if isinstance(dim, Axis) else dim
