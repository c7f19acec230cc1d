"""A set of discriminators that see the same waveform, as a network: MPD, MSD and their relatives.

One member alone gives ``score`` and ``fmap_0``...; several give ``mpd_11_score``,
``mpd_11_fmap_0``....
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from operator import mul
from typing import TYPE_CHECKING

from hifigan_ref.network import BATCH, SAMPLES, Axis, Footprint, Port, Signature

if TYPE_CHECKING:
    from torch import nn

RATE = 22050  # Hz, of every recording in the article
TYPICAL_SAMPLES = 8192
MOST_SAMPLES = 220500
ITEMS = Axis(BATCH, typical=16, largest=32)


@dataclass(frozen=True)
class Member:
    """One discriminator.

    Attributes:
        channels: of each feature map, the last of which is the score before it is flattened.
        strides: of the layer that gives it.
        parameters: number of values, norms' vectors not counted.
        cycle: the padding is the same again after so many samples.
        fold: columns that the waveform is folded to, or None.
    """

    channels: tuple[int, ...]
    strides: tuple[int, ...]
    parameters: int
    cycle: int = 1
    fold: int | None = None

    @property
    def smallest(self) -> int:
        """Shortest T from which on every length is legal: a reflect pad is shorter than T."""
        return 1 if self.fold is None else self.fold // 2 + 1

    @property
    def floats(self) -> float:
        """That all feature maps hold for each sample of a long waveform."""
        hops = accumulate(self.strides, mul)
        pools = 1 if self.fold is not None else self.cycle
        floats: float = sum(c / hop for c, hop in zip(self.channels, hops, strict=True))
        return floats / pools


@dataclass(frozen=True)
class Ensemble:
    """A network of discriminators.

    Attributes:
        name: short name.
        noun: what a member is called in messages.
        members: by name, in the order of ``discriminators.{i}`` in a checkpoint.
        make: a module with a ``discriminators`` list and ``judge(y)``, of some members.
        rate: of its waveforms, Hz.
    """

    name: str
    noun: str
    members: Mapping[str, Member]
    make: Callable[[Sequence[str]], "nn.Module"]
    rate: int = RATE

    @property
    def parts(self) -> tuple[str, ...]:
        """Names of all members."""
        return tuple(self.members)

    def signature(self, parts: Sequence[str], alone: bool) -> Signature:
        """One waveform in, (N, 1, T); a score and feature maps of each member out."""
        held = [self.members[part] for part in parts]
        samples = Axis(
            SAMPLES,
            max(member.smallest for member in held),
            TYPICAL_SAMPLES,
            MOST_SAMPLES,
            tuple(dict.fromkeys(member.cycle for member in held if member.cycle > 1)),
            1 / self.rate,
        )
        outputs = [
            port
            for part in parts
            for port in _outputs(self.members[part], part, "" if alone else self.prefix(part))
        ]
        return Signature((Port("y", (ITEMS, 1, samples), role="waveform"),), tuple(outputs))

    def prefix(self, part: str) -> str:
        """What the names of a member's outputs begin with in an ensemble."""
        return f"{self.name}_{part}_".replace("-", "_")

    def build(self, parts: Sequence[str]) -> "nn.Module":
        """The members in one module."""
        return self.make(parts)

    def function(self, module: "nn.Module", parts: Sequence[str], alone: bool) -> "nn.Module":
        """``judge`` with its results by name."""
        from hifigan_ref.judgement import Judging

        return Judging(module, [("" if alone else self.prefix(part)) for part in parts])

    def scopes(self, parts: Sequence[str]) -> Mapping[str, str]:
        """``discriminators.0`` of the first."""
        return {part: f"discriminators.{place}" for place, part in enumerate(parts)}

    def folds(self, parts: Sequence[str]) -> tuple[int, ...]:
        """Columns of each member that folds."""
        folds = (self.members[part].fold for part in parts)
        return tuple(fold for fold in folds if fold is not None)

    def footprint(self, parts: Sequence[str]) -> Footprint:
        """Of its weights and feature maps."""
        held = [self.members[part] for part in parts]
        return Footprint(sum(each.parameters for each in held), sum(each.floats for each in held))


def _outputs(member: Member, part: str, prefix: str) -> list[Port]:
    columns = () if member.fold is None else (member.fold,)
    maps = [
        Port(f"{prefix}fmap_{i}", (ITEMS, channels, None, *columns), "float32", "feature_map", part)
        for i, channels in enumerate(member.channels)
    ]
    return [Port(f"{prefix}score", (ITEMS, None), "float32", "score", part), *maps]
