"""The discriminator of VITS (arXiv 2106.06103): one scale, then HiFi-GAN's periods.

Source: ``MultiPeriodDiscriminator`` of jaywalnut310/vits (MIT).
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from hifigan_ref.ensemble import Ensemble, Member
from hifigan_ref.networks.mpd import PERIODS, member

if TYPE_CHECKING:
    from torch import nn

SCALE = "s"
RATE = 22050  # Hz, of the recipes that the article publishes

# (channels in, channels out, taps, stride, groups, padding) of the scale's layers
LAYERS = (
    (1, 16, 15, 1, 1, 7),
    (16, 64, 41, 4, 4, 20),
    (64, 256, 41, 4, 16, 20),
    (256, 1024, 41, 4, 64, 20),
    (1024, 1024, 41, 4, 256, 20),
    (1024, 1024, 5, 1, 1, 2),
)
CHANNELS = (*(c_out for _, c_out, *_ in LAYERS), 1)
STRIDES = (*(stride for *_, stride, _, _ in LAYERS), 1)
PARAMETERS = 5_637_953


def scale_and_periods(name: str, periods: Sequence[int], rate: int) -> Ensemble:
    """A discriminator in the manner of VITS.

    Args:
        name: of the network.
        periods: behind the scale, in the order of ``discriminators.{i}``.
        rate: of its waveforms, Hz.
    """
    members = {SCALE: Member(CHANNELS, STRIDES, PARAMETERS)}
    members |= {str(period): member(period) for period in periods}
    return Ensemble(name, "member", members, _make, rate)


def _make(parts: Sequence[str]) -> "nn.Module":
    from hifigan_ref.discriminators import Discriminators
    from hifigan_ref.mpd import DiscriminatorP
    from hifigan_ref.msd import DiscriminatorS

    return Discriminators(
        DiscriminatorS(layers=LAYERS) if part == SCALE else DiscriminatorP(int(part))
        for part in parts
    )


NETWORKS = (scale_and_periods("vits-d", PERIODS, RATE),)
