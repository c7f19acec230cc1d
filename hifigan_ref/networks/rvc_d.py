"""The discriminators of RVC, versions 1 and 2: those of VITS with longer periods.

Source: ``MultiPeriodDiscriminator`` and ``MultiPeriodDiscriminatorV2`` of
RVC-Project/Retrieval-based-Voice-Conversion-WebUI (MIT).
"""

from hifigan_ref.networks.mpd import PERIODS
from hifigan_ref.networks.vits_d import scale_and_periods

RATE = 40000  # Hz, of its usual models; others are of 32 and 48 kHz

NETWORKS = (
    scale_and_periods("rvc-v1-d", (*PERIODS, 17), RATE),
    scale_and_periods("rvc-v2-d", (*PERIODS, 17, 23, 37), RATE),
)
