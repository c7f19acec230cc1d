"""The multi-scale discriminator's members."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import nn

SCALES = (0, 1, 2)


class _Msd:
    name = "msd"
    noun = "scale"
    members = tuple(map(str, SCALES))

    def build(self, members: Sequence[str]) -> "nn.Module":
        from hifigan_ref.msd import MultiScaleDiscriminator

        return MultiScaleDiscriminator([int(member) for member in members])

    def min_samples(self, member: str) -> int:  # noqa: ARG002
        return 1

    def floats_per_sample(self, member: str) -> float:
        # channels over strides: 128 + 128/2 + 256/4 + 512/16 + 3 * 1024/64 + 1/64, of the pooled
        return 336 * 0.5 ** int(member)


FAMILY = _Msd()
