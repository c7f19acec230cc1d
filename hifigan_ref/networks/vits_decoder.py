"""The decoder of VITS (arXiv 2106.06103): HiFi-GAN's generator V1 on latents.

Source: ``Generator`` of jaywalnut310/vits (MIT), its ``ljs_base.json`` and ``vctk_base.json``.
"""

from dataclasses import replace

from hifigan_ref.hyperparameters import HyperParameters
from hifigan_ref.networks.generator import V1
from hifigan_ref.vocoder import Vocoder

LATENTS = 192
SPEAKER = 256  # channels of a speaker's vector


def decoder(name: str, shape: HyperParameters, speaker: int = 0) -> Vocoder:
    """A generator in the manner of VITS.

    Args:
        name: of the network.
        shape: of the generator that it is otherwise.
        speaker: channels of a speaker's vector; 0: there is none.
    """
    held = replace(shape, bins=LATENTS, gin_channels=speaker, plain_ends=True, post_bias=False)
    return Vocoder(name, held, "z", "other")


NETWORKS = (decoder("vits-decoder", V1), decoder("vits-decoder-speakers", V1, SPEAKER))
