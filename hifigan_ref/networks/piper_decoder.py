"""The decoder of Piper's voices of low and medium quality: that of VITS in the shape of V3.

Voices of high quality have ``vits-decoder``.
"""

from hifigan_ref.networks.generator import V3
from hifigan_ref.networks.vits_decoder import decoder

SPEAKER = 512  # channels of a speaker's vector

NETWORKS = (decoder("piper-decoder", V3), decoder("piper-decoder-speakers", V3, SPEAKER))
