"""Files of HiFi-GAN's own training code, and of projects that kept its names."""

from hifigan_ref.layout import Layout
from hifigan_ref.networks import generator

LAYOUT = Layout(
    "jik876",
    "jik876/hifi-gan",
    "do_*, g_*",
    {"mpd": "mpd", "msd": "msd", **{each.name: "generator" for each in generator.NETWORKS}},
)
