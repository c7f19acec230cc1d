"""The multi-scale discriminator of HiFi-GAN (arXiv 2010.05646, section 2.3)."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm, weight_norm

from hifigan_ref.judgement import Judgement, Verdicts, judge_both

SLOPE = 0.1

# (channels in, channels out, taps, stride, groups, padding)
LAYERS = (
    (1, 128, 15, 1, 1, 7),
    (128, 128, 41, 2, 4, 20),
    (128, 256, 41, 2, 16, 20),
    (256, 512, 41, 4, 16, 20),
    (512, 1024, 41, 4, 16, 20),
    (1024, 1024, 41, 1, 16, 20),
    (1024, 1024, 5, 1, 1, 2),
)


class DiscriminatorS(nn.Module):
    """Sees the waveform at one scale through grouped 1-D convolutions.

    Source: ``DiscriminatorS`` of jik876/hifi-gan (MIT) and arXiv 2010.05646.

    Args:
        use_spectral_norm: spectral norm instead of weight norm.
        layers: (channels in, channels out, taps, stride, groups, padding) of each but the last.
    """

    def __init__(
        self,
        use_spectral_norm: bool = False,
        layers: Sequence[tuple[int, int, int, int, int, int]] = LAYERS,
    ) -> None:
        super().__init__()
        norm = spectral_norm if use_spectral_norm else weight_norm
        self.convs = nn.ModuleList(
            norm(nn.Conv1d(c_in, c_out, taps, stride, padding, groups=groups))
            for c_in, c_out, taps, stride, groups, padding in layers
        )
        self.conv_post = norm(nn.Conv1d(1024, 1, 3, 1, 1))

    def forward(self, y: Tensor) -> Judgement:
        """Judge a waveform that is already at this scale.

        Args:
            y: (N, 1, T), T from 1 up.

        Returns:
            The score, (N, L), and 8 feature maps (N, C, L): seven activations and the raw output
            of ``conv_post``.
        """
        x = y
        fmaps = []
        for conv in self.convs:
            x = F.leaky_relu(conv(x), SLOPE)  # (N, C, L)
            fmaps.append(x)
        x = self.conv_post(x)  # (N, 1, L)
        return torch.flatten(x, 1), [*fmaps, x]


class MultiScaleDiscriminator(nn.Module):
    """One ``DiscriminatorS`` at the waveform's rate, one at half of it, one at a quarter.

    Args:
        scales: the members to hold, in rising order; scale k sees the waveform after k pools.
    """

    def __init__(self, scales: Sequence[int]) -> None:
        super().__init__()
        self.scales = tuple(scales)
        self.discriminators = nn.ModuleList(
            DiscriminatorS(use_spectral_norm=scale == 0) for scale in scales
        )
        self.meanpools = nn.ModuleList(nn.AvgPool1d(4, 2, padding=2) for _ in range(max(scales)))

    def judge(self, y: Tensor) -> list[Judgement]:
        """(score, feature maps) of each member for the waveform y of shape (N, 1, T)."""
        pyramid = [y]  # scale k: (N, 1, about T / 2^k)
        for pool in self.meanpools:
            pyramid.append(pool(pyramid[-1]))
        members = zip(self.scales, self.discriminators, strict=True)
        return [discriminator(pyramid[scale]) for scale, discriminator in members]

    def forward(self, y: Tensor, y_hat: Tensor) -> Verdicts:
        """``y_d_rs, y_d_gs, fmap_rs, fmap_gs`` for y (real) and y_hat (generated), (N, 1, T)."""
        return judge_both(self.judge, y, y_hat)
