"""``D_*.pth`` and ``G_*.pth`` files of VITS's training code."""

from hifigan_ref.layout import Layout
from hifigan_ref.networks import vits_decoder

_DECODERS = [each.name for each in vits_decoder.NETWORKS]
LAYOUT = Layout(
    "vits",
    "jaywalnut310/vits",
    "D_*.pth, G_*.pth",
    {"vits-d": "model", **dict.fromkeys(_DECODERS, "model")},
    inside=dict.fromkeys(_DECODERS, "dec."),
    speakers="emb_g.weight",
)
