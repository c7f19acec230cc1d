"""Discriminators' checkpoints of BigVGAN: the same multi-period one, beside networks of its own."""

from hifigan_ref.layout import Layout

LAYOUT = Layout(
    "bigvgan",
    "NVIDIA/BigVGAN",
    "do_* or bigvgan_discriminator_optimizer*.pt",
    {"mpd": "mpd"},
    {"mrd": "BigVGAN's other discriminator (resolutions, bands or CQT), which no network here is"},
)
