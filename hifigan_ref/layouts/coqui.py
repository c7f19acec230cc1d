"""Vocoders of Coqui's training code: HiFi-GAN's generators beside their discriminator."""

from hifigan_ref.layout import Layout
from hifigan_ref.networks import generator

_NAMES = [each.name for each in generator.NETWORKS]
LAYOUT = Layout(
    "coqui",
    "coqui-ai/TTS",
    "*.pth",
    dict.fromkeys(_NAMES, "model"),
    inside=dict.fromkeys(_NAMES, "model_g."),
    note="Coqui's own inference repeats the first and the last frame five times",
)
