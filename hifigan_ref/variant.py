"""Which network: a family, and one member of it or all of them."""

import importlib
import pkgutil
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Protocol

from hifigan_ref.errors import HifiError

if TYPE_CHECKING:
    from torch import nn


class Family(Protocol):
    """A set of sub-discriminators that see the same waveform. One file each ends in ``FAMILY``."""

    @property
    def name(self) -> str:
        """Short name, the key of the family's weights in a training checkpoint (``mpd``)."""

    @property
    def members(self) -> tuple[str, ...]:
        """Names of all members, in the order of ``discriminators.{i}`` in a checkpoint."""

    @property
    def noun(self) -> str:
        """What a member is called in messages (``period``)."""

    def build(self, members: Sequence[str]) -> "nn.Module":
        """A network with a ``discriminators`` list and ``judge(y)``, holding these members.

        ``judge`` takes y of shape (N, 1, T) and returns one (score, feature maps) per member.
        """

    def min_samples(self, member: str) -> int:
        """Shortest T such that every length from T up is legal for this member."""

    def floats_per_sample(self, member: str) -> float:
        """How many floats all feature maps hold for each sample of a long waveform."""


@dataclass(frozen=True, order=True)
class Variant:
    """A family (``mpd``) or one member of it (``mpd-11``)."""

    family: str
    member: str | None = None

    def __str__(self) -> str:
        return self.family if self.member is None else f"{self.family}-{self.member}"

    @classmethod
    def parse(cls, text: str) -> "Variant":
        """Read ``str(variant)`` back.

        Raises:
            HifiError: the family or the member does not exist.
        """
        family, _, member = text.partition("-")
        variant = cls(family, member or None)
        variant.members()
        return variant

    def members(self) -> tuple[str, ...]:
        """The members that this variant computes, in order.

        Raises:
            HifiError: the family or the member does not exist.
        """
        family = find_family(self.family)
        if self.member is None:
            return family.members
        if self.member not in family.members:
            raise HifiError(
                f"{family.noun} {self.member} is not in {family.name}: "
                f"choose from {', '.join(family.members)}"
            )
        return (self.member,)

    def apart(self) -> "tuple[Variant, ...]":
        """A variant of each of its members."""
        return tuple(Variant(self.family, member) for member in self.members())

    def in_family(self, path: str) -> str:
        """A layer's path in this network -> its path in the whole family: the key in a checkpoint.

        ``discriminators.0.convs.2`` of ``mpd-11`` -> ``discriminators.4.convs.2``.
        """
        root, index, rest = path.split(".", 2)
        everyone = find_family(self.family).members
        return f"{root}.{everyone.index(self.members()[int(index)])}.{rest}"

    def min_samples(self) -> int:
        """Shortest T such that every length from T up is legal for every member."""
        family = find_family(self.family)
        return max(family.min_samples(member) for member in self.members())

    def floats_per_sample(self) -> float:
        """How many floats the feature maps of all members hold for each sample of a waveform."""
        family = find_family(self.family)
        return sum(family.floats_per_sample(member) for member in self.members())


@cache
def families() -> dict[str, Family]:
    """Every family: the ``FAMILY`` of each file in ``hifigan_ref/families/``, by name."""
    package = importlib.import_module("hifigan_ref.families")
    names = sorted(info.name for info in pkgutil.iter_modules(package.__path__))
    modules = [importlib.import_module(f"hifigan_ref.families.{name}") for name in names]
    found: list[Family] = [module.FAMILY for module in modules]
    return {family.name: family for family in found}


def find_family(name: str) -> Family:
    """The family of that name.

    Raises:
        HifiError: there is none.
    """
    if name not in families():
        raise HifiError(f"no network family {name!r}: choose from {', '.join(families())}")
    return families()[name]


def all_variants() -> tuple[Variant, ...]:
    """Every member of every family, then each family as one graph."""
    single = [Variant(f.name, member) for f in families().values() for member in f.members]
    return (*single, *(Variant(name) for name in families()))


def apart(variants: Iterable[Variant]) -> tuple[Variant, ...]:
    """A variant of each member of these, each once."""
    return tuple(dict.fromkeys(member for variant in variants for member in variant.apart()))


def scope_of(family: str, member: str) -> str:
    """What the names of a member's layers begin with where plans name them: ``mpd_11.``."""
    return f"{family}_{member}."


def scopes() -> tuple[str, ...]:
    """Those of every member of every family."""
    return tuple(scope_of(f.name, member) for f in families().values() for member in f.members)
