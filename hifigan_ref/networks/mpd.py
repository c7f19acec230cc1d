"""The multi-period discriminator of HiFi-GAN."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from hifigan_ref.ensemble import Ensemble, Member

if TYPE_CHECKING:
    from torch import nn

PERIODS = (2, 3, 5, 7, 11)
CHANNELS = (32, 128, 512, 1024, 1024, 1)
STRIDES = (3, 3, 3, 3, 1, 1)
PARAMETERS = 8_221_154


def member(period: int) -> Member:
    """A discriminator that sees every ``period``-th sample as one column."""
    return Member(CHANNELS, STRIDES, PARAMETERS, period, period)


def _make(parts: Sequence[str]) -> "nn.Module":
    from hifigan_ref.mpd import MultiPeriodDiscriminator

    return MultiPeriodDiscriminator([int(part) for part in parts])


NETWORKS = (Ensemble("mpd", "period", {str(period): member(period) for period in PERIODS}, _make),)
