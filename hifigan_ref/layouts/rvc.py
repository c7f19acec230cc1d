"""``D_*.pth`` files of RVC's training code, and the pretrained ones that it starts from."""

from hifigan_ref.layout import Layout

LAYOUT = Layout(
    "rvc",
    "RVC-Project/Retrieval-based-Voice-Conversion-WebUI",
    "D_*.pth",
    {"rvc-v1-d": "model", "rvc-v2-d": "model"},
)
