"""The multi-period discriminator's members."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import nn

PERIODS = (2, 3, 5, 7, 11)


class _Mpd:
    name = "mpd"
    noun = "period"
    members = tuple(map(str, PERIODS))

    def build(self, members: Sequence[str]) -> "nn.Module":
        from hifigan_ref.mpd import MultiPeriodDiscriminator

        return MultiPeriodDiscriminator([int(member) for member in members])

    def min_samples(self, member: str) -> int:
        return int(member) // 2 + 1

    def floats_per_sample(self, member: str) -> float:  # noqa: ARG002
        # channels over strides: 32/3 + 128/9 + 512/27 + 1024/81 + 1024/81 + 1/81
        return 69.1


FAMILY = _Mpd()
