"""A generator as a network: frames of a spectrogram or of latents in, audio out."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hifigan_ref.hyperparameters import HyperParameters
from hifigan_ref.network import BATCH, Axis, Footprint, Multiple, Port, Role, Signature
from hifigan_ref.one_part import OnePart

if TYPE_CHECKING:
    from torch import nn

TYPICAL_FRAMES = 32
MOST_FRAMES = 1000
ITEMS = Axis(BATCH, typical=2, largest=8)
SPEAKER = "g"


@dataclass(frozen=True)
class Vocoder(OnePart):
    """A network of HiFi-GAN's generator.

    Attributes:
        name: short name.
        held: hyper-parameters.
        takes: name of its frames: ``mel``, or ``z`` for latents.
        role: what they hold.
        rate: of its audio, Hz.
        speaker: that is in the bias of ``conv_pre``, or None.
    """

    name: str
    held: HyperParameters
    takes: str = "mel"
    role: Role = "spectrogram"
    rate: int = 22050
    speaker: int | None = None

    def signature(self, parts: Sequence[str] = (), alone: bool = False) -> Signature:
        """Frames, (N, bins, frames), and a speaker, (N, gin, 1); audio out, (N, 1, hop frames)."""
        del parts, alone
        unit_s = self.held.hop / self.rate
        frames = Axis("frames", 1, TYPICAL_FRAMES, MOST_FRAMES, unit_s=unit_s)
        inputs = [Port(self.takes, (ITEMS, self.held.bins, frames), role=self.role)]
        if self.held.gin_channels:
            inputs.append(Port(SPEAKER, (ITEMS, self.held.gin_channels, 1)))
        audio = Port("audio", (ITEMS, 1, Multiple(frames, self.held.hop)), role="waveform")
        return Signature(tuple(inputs), (audio,))

    def build(self, parts: Sequence[str] = ()) -> "nn.Module":
        """The generator."""
        del parts
        from hifigan_ref.generator import Generator

        return Generator(self.held)

    def function(self, module: "nn.Module", parts: Sequence[str], alone: bool) -> "nn.Module":
        """The generator with its inputs and its output by name."""
        del parts, alone
        from hifigan_ref.generator import ByName

        return ByName(module, self.takes)

    def footprint(self, parts: Sequence[str]) -> Footprint:
        """Of its weights, and of what a residual block reads and adds up where that is most."""
        del parts
        return Footprint(self.held.parameters, 2 * self.held.widest / self.held.bins)
