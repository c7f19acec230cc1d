"""Which network: all of it, or one of its parts."""

import importlib
import pkgutil
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Protocol, TypeVar

from hifigan_ref.changed import changed
from hifigan_ref.errors import HifiError, nearest
from hifigan_ref.module_spec import ModuleSpec, is_module, parse_spec
from hifigan_ref.network import Footprint, Network, Signature
from hifigan_ref.settings import MARK, Settings, base_of, short
from hifigan_ref.vocoder import Vocoder

Named = TypeVar("Named")
GRAPH = ".onnx"
USUAL = ("mpd", "msd")  # networks that are meant where none is named


@dataclass(frozen=True, order=True)
class Variant:
    """A network (``mpd``) or one part of it (``mpd-11``)."""

    family: str
    member: str | None = None

    def __str__(self) -> str:
        """``mpd-11``; of a user's module, the name of its class."""
        if is_module(self.family):
            return parse_spec(self.family).label
        return short(self.family) if self.member is None else f"{self.family}-{self.member}"

    @property
    def stated(self) -> str:
        """What files say, without folders: what ``parse`` takes."""
        if is_module(self.family):
            return str(parse_spec(self.family).nameless)
        return self.family if MARK in self.family else str(self)

    @classmethod
    def parse(cls, text: str) -> "Variant":
        """Read what ``stated`` says, or what stands behind ``--network``.

        Raises:
            HifiError: the network or the part does not exist.
        """
        if is_module(text) or MARK in text:
            return cls(find_network(text).name)
        known = [name for name in networks() if text == name or text.startswith(f"{name}-")]
        family = max(known, key=len, default=text.partition("-")[0])
        variant = cls(family, text.removeprefix(family).removeprefix("-") or None)
        variant.members()
        return variant

    @property
    def graph_file(self) -> Path | None:
        """The ONNX file that it is, or is a part of, which has its weights; None of another."""
        file = parse_spec(self.family).file if is_module(self.family) else None
        return file if file is not None and file.suffix == GRAPH else None

    @property
    def network(self) -> Network:
        """What it is, or is a part of. Raises HifiError where there is none of that name."""
        return find_network(self.family)

    def members(self) -> tuple[str, ...]:
        """The parts that this variant computes, in order.

        Raises:
            HifiError: the network or the part does not exist.
        """
        network = self.network
        if self.member is None:
            return network.parts
        if self.member not in network.parts:
            raise HifiError(
                f"{network.noun} {self.member} is not in {network.name}: "
                f"choose from {', '.join(network.parts)}"
            )
        return (self.member,)

    def apart(self) -> "tuple[Variant, ...]":
        """A variant of each of its parts; itself where it has none."""
        return tuple(Variant(self.family, member) for member in self.members()) or (self,)

    @property
    def signature(self) -> Signature:
        """What it takes and gives."""
        return self.network.signature(self.members(), self.member is not None)

    @property
    def footprint(self) -> Footprint:
        """About what it holds in memory."""
        return self.network.footprint(self.members())

    @property
    def folds(self) -> tuple[int, ...] | None:
        """Numbers of columns that the waveform is padded for and folded to; None: unknown."""
        return self.network.folds(self.members())

    def scopes(self) -> Mapping[str, str]:
        """Where each part lies in the module, and what its layers' names begin with in plans."""
        places = self.network.scopes(self.members())
        return {f"{place}.": scope_of(self.family, part) for part, place in places.items()}

    def in_family(self, path: str) -> str:
        """A layer's path in this network -> its path in the whole one: the key in a checkpoint.

        ``discriminators.0.convs.2`` of ``mpd-11`` -> ``discriminators.4.convs.2``.
        """
        network = self.network
        whole = network.scopes(network.parts)
        for part, place in network.scopes(self.members()).items():
            if path.startswith(f"{place}."):
                return whole[part] + path.removeprefix(place)
        return path

    def node(self, path: str) -> str:
        """What its graph calls a layer, by the layer's path in the module."""
        for place, scope in self.scopes().items():
            if path.startswith(place):
                rest = path.removeprefix(place)
                return rest if self.member is not None else f"{scope}{rest}"
        return path

    def in_plans(self, node: str) -> str:
        """What plans call a node of its graph: ``mpd_11.convs.4``."""
        return f"{self._scope}{node}"

    def of_plan(self, layers: Mapping[str, Named]) -> dict[str, Named]:
        """What a plan says of the nodes of its graph, by their names there."""
        places = tuple(scope_of(self.family, part) for part in self.members()) or (self._scope,)
        return {
            name.removeprefix(self._scope): each
            for name, each in layers.items()
            if name.startswith(places)
        }

    @property
    def _scope(self) -> str:
        """What plans put in front of its nodes; an ensemble's have it already."""
        if self.member is not None:
            return scope_of(self.family, self.member)
        return "" if self.members() else f"{base_of(str(self))}."


@cache
def networks() -> dict[str, Network]:
    """Every network of each file in ``hifigan_ref/networks/``, by name; the usual ones first."""
    package = importlib.import_module("hifigan_ref.networks")
    names = sorted(info.name for info in pkgutil.iter_modules(package.__path__))
    modules = [importlib.import_module(f"hifigan_ref.networks.{name}") for name in names]
    found: list[Network] = [network for module in modules for network in module.NETWORKS]
    found.sort(key=lambda network: network.name not in USUAL)
    return {network.name: network for network in found}


def find_network(name: str) -> Network:
    """The network of that name.

    Raises:
        HifiError: there is none.
    """
    if is_module(name):
        return _module_network(name)
    if MARK in name:
        return _changed_network(name)
    if name not in networks():
        raise HifiError(
            f"no network {name!r}: {nearest(name, networks())}choose from {', '.join(networks())}"
        )
    return networks()[name]


@cache
def _changed_network(name: str) -> Network:
    """A network with other hyper-parameters. Raises HifiError where it has none of these."""
    settings = Settings.parse(name)
    base = find_network(settings.base)
    if not isinstance(base, Vocoder):
        raise HifiError(f"{base.name} has no hyper-parameters to change: leave out --config")
    return changed(base, settings)


def _of_python(spec: ModuleSpec) -> "FileNetwork":
    from hifigan_ref.module_network import ModuleNetwork

    return ModuleNetwork(spec)


class FileNetwork(Network, Protocol):
    """A network that a file holds."""

    spec: ModuleSpec


OPENERS: dict[str, Callable[[ModuleSpec], FileNetwork]] = {".py": _of_python}
"""What makes a network of a file, by its suffix; ``export`` adds what it can read."""

_MODULES: dict[str, Network] = {}  # loaded ones, by what they are called with folders and without


def _module_network(name: str) -> Network:
    known, spec = _MODULES.get(name), parse_spec(name)
    if known is None or not spec.digest:  # its file may be another one by now
        found = known = OPENERS[spec.file.suffix](spec)
        _MODULES.update({found.name: found, str(found.spec.nameless): found})
    return known


def locate(stated: str, text: str) -> None:
    """Let a module that a file states be found where it lies.

    Args:
        stated: as ``Variant.stated``, without folders.
        text: ``FOLDER/FILE.py:Class``.

    Raises:
        HifiError: what is stated is another network, or of another source.
    """
    there = parse_spec(text)
    told = parse_spec(stated) if is_module(stated) else None
    if told is None or told.told != there.nameless.told:
        raise HifiError(f"--network {text}: the file is of {told.told if told else stated}")
    find_network(str(replace(told, file=there.file)))


def all_variants(names: Iterable[str] = USUAL) -> tuple[Variant, ...]:
    """Every part of some networks, then each network as one graph."""
    found = [find_network(name) for name in names]
    single = [Variant(network.name, part) for network in found for part in network.parts]
    return (*single, *(Variant(network.name) for network in found))


def apart(variants: Iterable[Variant]) -> tuple[Variant, ...]:
    """A variant of each part of these, each once."""
    return tuple(dict.fromkeys(part for variant in variants for part in variant.apart()))


def scope_of(family: str, member: str) -> str:
    """What the names of a part's layers begin with where plans name them: ``mpd_11.``."""
    return f"{family}_{member}.".replace("-", "_")


def check_layers(names: Iterable[str]) -> None:
    """Raises HifiError for a layer in a plan that is of no network that is known."""
    found = networks().values()
    parts = [scope_of(each.name, part) for each in found for part in each.parts]
    whole = [*(each.name for each in found if not each.parts), *_MODULES]
    known = (*parts, *dict.fromkeys(f"{Variant(name)}." for name in whole))
    for name in names:
        if not name.startswith(known):
            raise HifiError(
                f"there is no network with a layer {name}: {nearest(name, known)}its name begins "
                f"with that of a member, as in {known[0]}convs.4"
            )
