"""``model.safetensors`` of transformers' HiFi-GAN classes (``SpeechT5HifiGan`` and its like)."""

from hifigan_ref.layout import Layout
from hifigan_ref.networks import transformers_hifigan

LAYOUT = Layout(
    "transformers",
    "huggingface/transformers",
    "model.safetensors",
    {each.name: "" for each in transformers_hifigan.NETWORKS},
    renamed={"ups.": "upsampler."},
)
