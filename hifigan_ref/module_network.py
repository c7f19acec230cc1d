"""A user's own module as a network: its signature as declared, or out of the shapes it is given."""

import inspect
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING

from hifigan_ref.errors import HifiError, named
from hifigan_ref.module_file import load_class, source_digest
from hifigan_ref.module_spec import HOW, ModuleSpec
from hifigan_ref.network import Footprint, Port, Signature, Sizes, in_words, length_of
from hifigan_ref.one_part import OnePart
from hifigan_ref.probing import Probe, port_of

if TYPE_CHECKING:
    from torch import nn

DECLARED = "SIGNATURE"  # attribute of the class


class ModuleNetwork(OnePart):
    """A class in a file.

    Args:
        spec: which.

    Raises:
        HifiError: it is not there, or its signature does not fit it.
    """

    def __init__(self, spec: ModuleSpec) -> None:
        self.spec = spec.of_source(source_digest(spec.file))
        self.kind = load_class(spec)
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

    def signature(self, parts: Sequence[str] = (), alone: bool = False) -> Signature:
        """As declared, else of the shapes that were given, and what the module makes of them."""
        del parts, alone
        return self._signature

    def footprint(self, parts: Sequence[str]) -> Footprint:
        """Of the module, and of its outputs at typical lengths."""
        del parts
        return self._footprint

    @cached_property
    def _signature(self) -> Signature:
        declared = self._declared
        if declared is not None:
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
        return self._probe.signature()

    @cached_property
    def _declared(self) -> Signature | None:
        found = getattr(self.kind, DECLARED, None)
        if found is not None and not isinstance(found, Signature):
            raise HifiError(f"{self.spec.told}: {DECLARED} is no hifigan_ref.network.Signature")
        return found

    @cached_property
    def _probe(self) -> Probe:
        declared = self._declared
        given = tuple(port_of(name, shape) for name, shape in self.spec.inputs)
        return Probe(self.build, given if declared is None else declared.inputs, self.spec.told)

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
        found = {name: tuple(tensor.shape) for name, tensor in self._probe.run(sizes).items()}
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
    def _footprint(self) -> Footprint:
        return self._probe.footprint(self._signature)


def _sized(port: Port, sizes: Sizes) -> tuple[int | None, ...]:
    return tuple(length_of(each, sizes) for each in port.shape)
