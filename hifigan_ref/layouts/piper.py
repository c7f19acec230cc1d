"""``.ckpt`` files of Piper's training code, which PyTorch Lightning writes."""

from hifigan_ref.layout import Layout
from hifigan_ref.networks import piper_decoder, vits_decoder

_DECODERS = [each.name for each in (*piper_decoder.NETWORKS, *vits_decoder.NETWORKS)]
LAYOUT = Layout(
    "piper",
    "Piper",
    "*.ckpt",
    dict.fromkeys(_DECODERS, "state_dict"),
    inside=dict.fromkeys(_DECODERS, "model_g.dec."),
    speakers="model_g.emb_g.weight",
)
