"""The multi-scale discriminator of HiFi-GAN."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from hifigan_ref.ensemble import Ensemble, Member

if TYPE_CHECKING:
    from torch import nn

SCALES = (0, 1, 2)
CHANNELS = (128, 128, 256, 512, 1024, 1024, 1024, 1)
STRIDES = (1, 2, 2, 4, 4, 1, 1, 1)
PARAMETERS = 9_872_940


def _make(parts: Sequence[str]) -> "nn.Module":
    from hifigan_ref.msd import MultiScaleDiscriminator

    return MultiScaleDiscriminator([int(part) for part in parts])


NETWORKS = (
    Ensemble(
        "msd",
        "scale",
        {str(scale): Member(CHANNELS, STRIDES, PARAMETERS, 2**scale) for scale in SCALES},
        _make,
    ),
)
