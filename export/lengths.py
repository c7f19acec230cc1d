"""Short lengths at which a file is verified: where residues, halos and tiles are extreme."""

from math import prod
from typing import TYPE_CHECKING, Any

from hifigan_ref.variant import Variant, find_family

if TYPE_CHECKING:
    from torch import nn

FIRST = 4  # lengths from the shortest on, where padding does not need more
WIDTHS = (2, 3, 4, 5, 8)  # of the innermost layer: both sides of the tiles of most forms


def cycle(variant: Variant, member: str) -> int:
    """After how many samples the padding is the same again: the period, or the pools' stride."""
    noun = find_family(variant.family).noun
    if noun == "period":
        return int(member)
    return 1 << int(member) if noun == "scale" else 1


def short_lengths(variant: Variant, network: "nn.Module", below: int) -> tuple[int, ...]:
    """Lengths from the shortest legal one on, few enough that an export does not wait for them.

    1. The shortest and those behind it, through every residue of every member's padding.
    2. Those from which on the innermost layer has each of ``WIDTHS``, of the member where it is
       widest: the others meet smaller ones there.

    Args:
        variant: which network.
        network: with ``discriminators``, one for each member.
        below: all of them are shorter.
    """
    first = variant.min_samples()
    cycles = [cycle(variant, member) for member in variant.members()]
    found = set(range(first, first + max(FIRST, *cycles)))
    hop = min(hops(variant, network))
    found |= {hop * (width - 1) + 1 for width in WIDTHS}
    return tuple(sorted(samples for samples in found if first <= samples < below))


def hops(variant: Variant, network: "nn.Module") -> tuple[int, ...]:
    """Samples for each output of the innermost layer of each member."""
    discriminators: Any = network.discriminators
    members = zip(variant.members(), discriminators, strict=True)
    return tuple(cycle(variant, member) * _strides(each) for member, each in members)


def _strides(member: "nn.Module") -> int:
    """Inputs for each output of its innermost layer."""
    from hifigan_ref.trained import convolutions

    return prod(max(conv.stride) for conv in convolutions(member).values())
