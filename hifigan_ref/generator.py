"""HiFi-GAN's generator (arXiv 2010.05646, section 2.2) with any hyper-parameters."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.parametrizations import weight_norm

from hifigan_ref.hyperparameters import HyperParameters

SLOPE = 0.1
LAST_SLOPE = 0.01  # PyTorch's own, which the article's code leaves to it before conv_post
TAPS = 7  # of the first and the last convolution


def _same(channels: int, taps: int, dilation: int) -> nn.Conv1d:
    padding = dilation * (taps - 1) // 2
    conv: nn.Conv1d = weight_norm(nn.Conv1d(channels, channels, taps, 1, padding, dilation))
    return conv


class PairedBlock(nn.Module):
    """``ResBlock1``: a dilated convolution and a plain one, added to what they read.

    Args:
        channels: C.
        taps: of every convolution.
        dilations: of the first of each pair.
    """

    def __init__(self, channels: int, taps: int, dilations: Sequence[int]) -> None:
        super().__init__()
        self.convs1 = nn.ModuleList(_same(channels, taps, each) for each in dilations)
        self.convs2 = nn.ModuleList(_same(channels, taps, 1) for _ in dilations)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, T) -> (N, C, T)."""
        for dilated, plain in zip(self.convs1, self.convs2, strict=True):
            inner = dilated(F.leaky_relu(x, SLOPE))
            x = plain(F.leaky_relu(inner, SLOPE)) + x
        return x


class SingleBlock(nn.Module):
    """``ResBlock2``: a dilated convolution, added to what it reads.

    Args:
        channels: C.
        taps: of every convolution.
        dilations: of each.
    """

    def __init__(self, channels: int, taps: int, dilations: Sequence[int]) -> None:
        super().__init__()
        self.convs = nn.ModuleList(_same(channels, taps, each) for each in dilations)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, T) -> (N, C, T)."""
        for conv in self.convs:
            x = conv(F.leaky_relu(x, SLOPE)) + x
        return x


class Generator(nn.Module):
    """From frames to samples.

    Source: ``Generator`` of jik876/hifi-gan (MIT) and of jaywalnut310/vits (MIT), whose names its
    layers have.

    Args:
        held: its hyper-parameters.
    """

    mean: Tensor
    scale: Tensor

    def __init__(self, held: HyperParameters) -> None:
        super().__init__()
        ends = (lambda conv: conv) if held.plain_ends else weight_norm
        first, last = held.channels(0), held.channels(held.steps)
        self.standardized = held.standardized
        if held.standardized:
            self.register_buffer("mean", torch.randn(held.bins))
            self.register_buffer("scale", torch.rand(held.bins) + 0.5)
        self.conv_pre = ends(nn.Conv1d(held.bins, first, TAPS, 1, TAPS // 2))
        if held.gin_channels:
            self.cond = nn.Conv1d(held.gin_channels, first, 1)
        self.ups = nn.ModuleList(
            weight_norm(
                nn.ConvTranspose1d(held.channels(i), held.channels(i + 1), k, u, (k - u) // 2)
            )
            for i, (u, k) in enumerate(
                zip(held.upsample_rates, held.upsample_kernel_sizes, strict=True)
            )
        )
        self.resblocks = nn.ModuleList(
            (PairedBlock if held.resblock == 1 else SingleBlock)(held.channels(i + 1), k, dilations)
            for i in range(held.steps)
            for k, dilations in zip(
                held.resblock_kernel_sizes, held.resblock_dilation_sizes, strict=True
            )
        )
        self.conv_post = ends(nn.Conv1d(last, 1, TAPS, 1, TAPS // 2, bias=held.post_bias))

    def forward(self, x: Tensor, g: Tensor | None = None) -> Tensor:
        """Make audio.

        Args:
            x: (N, bins, frames).
            g: a speaker's vector, (N, gin_channels, 1), where the network has speakers.

        Returns:
            (N, 1, hop * frames), within -1 to 1.
        """
        if self.standardized:
            x = (x - self.mean.unsqueeze(-1)) / self.scale.unsqueeze(-1)
        x = self.conv_pre(x)
        if g is not None:
            x = x + self.cond(g)
        side_by_side = len(self.resblocks) // len(self.ups)
        for i, up in enumerate(self.ups):
            x = up(F.leaky_relu(x, SLOPE))  # (N, C, hops * frames)
            blocks = self.resblocks[i * side_by_side : (i + 1) * side_by_side]
            total = blocks[0](x)
            for block in blocks[1:]:
                total = total + block(x)
            x = total / side_by_side
        x = self.conv_post(F.leaky_relu(x, LAST_SLOPE))
        return torch.tanh(x)


class ByName(nn.Module):
    """A generator whose frames have a network's own name.

    Args:
        network: the generator.
        takes: what its frames are called.
    """

    def __init__(self, network: nn.Module, takes: str) -> None:
        super().__init__()
        self.network = network
        self.takes = takes

    def forward(self, **inputs: Tensor) -> dict[str, Tensor]:
        """``audio``."""
        return {"audio": self.network(inputs[self.takes], inputs.get("g"))}
