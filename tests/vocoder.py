"""A small vocoder in a file of its own, as a user would hand one over: log-mels in, audio out."""

from pathlib import Path

from hifigan_ref.variant import Variant

SOURCE = '''
import torch
import torch.nn.functional as F
from torch import nn

from hifigan_ref.network import Axis, Port, Signature

BATCH = Axis("batch", typical=2, largest=32)
FRAMES = Axis("frames", typical=32, largest=860, unit_s=256 / 22050)


class Vocoder(nn.Module):
    SIGNATURE = Signature(
        (Port("mel", (BATCH, 80, FRAMES), role="spectrogram"),),
        (Port("audio", (BATCH, 1, None), role="waveform"),),
    )

    def __init__(self):
        super().__init__()
        self.pre = nn.Conv1d(80, 16, 7, padding=3)
        self.up = nn.ConvTranspose1d(16, 8, 16, 8, 4)
        self.convs = nn.ModuleList(nn.Conv1d(8, 8, 3, padding=d, dilation=d) for d in (1, 3))
        self.last = nn.ConvTranspose1d(8, 4, 64, 32, 16)
        self.post = nn.Conv1d(4, 1, 7, padding=3)

    def hidden(self, mel):
        x = self.up(F.leaky_relu(self.pre(mel), 0.1))
        for conv in self.convs:
            x = x + conv(F.leaky_relu(x, 0.1))
        return self.last(F.leaky_relu(x, 0.1))

    def forward(self, mel):
        return {"audio": torch.tanh(0.1 * self.post(F.leaky_relu(self.hidden(mel))))}


class Speaker(Vocoder):
    """With a speaker's vector and a pitch, of which nothing is known."""

    SIGNATURE = Signature(
        (*Vocoder.SIGNATURE.inputs, Port("g", (BATCH, 4, 1)), Port("f0", (BATCH, 1, FRAMES))),
        Vocoder.SIGNATURE.outputs,
    )

    def __init__(self):
        super().__init__()
        self.cond = nn.Conv1d(4, 80, 1)

    def forward(self, mel, g, f0):
        return super().forward(mel + self.cond(g) * f0)
'''


def vocoder(folder: Path, kind: str = "Vocoder") -> Variant:
    """Written into a folder."""
    path = folder / "vocoder.py"
    path.write_text(SOURCE)
    return Variant.parse(f"{path}:{kind}")
