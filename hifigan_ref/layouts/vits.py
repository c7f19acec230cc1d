"""``D_*.pth`` files of VITS's training code."""

from hifigan_ref.layout import Layout

LAYOUT = Layout("vits", "jaywalnut310/vits", "D_*.pth", {"vits-d": "model"})
