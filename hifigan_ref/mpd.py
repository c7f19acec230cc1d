"""The multi-period discriminator of HiFi-GAN (arXiv 2010.05646, section 2.3)."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm, weight_norm

from hifigan_ref.discriminators import Discriminators
from hifigan_ref.judgement import Judgement

SLOPE = 0.1


class DiscriminatorP(nn.Module):
    """Sees every ``period``-th sample as one column: convolutions along time only.

    Source: ``DiscriminatorP`` of jik876/hifi-gan (MIT) and arXiv 2010.05646.

    Args:
        period: width p of the fold.
        kernel_size: taps along time of the five body convolutions.
        stride: stride along time of the first four of them.
        use_spectral_norm: spectral norm instead of weight norm.
    """

    def __init__(
        self, period: int, kernel_size: int = 5, stride: int = 3, use_spectral_norm: bool = False
    ) -> None:
        super().__init__()
        self.period = period
        norm = spectral_norm if use_spectral_norm else weight_norm
        channels = (1, 32, 128, 512, 1024, 1024)
        strides = (stride, stride, stride, stride, 1)
        kernel, padding = (kernel_size, 1), (2, 0)
        self.convs = nn.ModuleList(
            norm(nn.Conv2d(c_in, c_out, kernel, (s, 1), padding))
            for c_in, c_out, s in zip(channels[:-1], channels[1:], strides, strict=True)
        )
        self.conv_post = norm(nn.Conv2d(1024, 1, (3, 1), 1, (1, 0)))

    def forward(self, y: Tensor) -> Judgement:
        """Judge a waveform.

        Args:
            y: (N, 1, T); n_pad = -T mod p must be smaller than T, which holds from
                T = p // 2 + 1 up.

        Returns:
            The score, (N, L * p), and 6 feature maps (N, C, L, p): five activations and the raw
            output of ``conv_post``.

        Raises:
            RuntimeError: T is too short for the reflect pad.
        """
        # No branch on T: a tracer would freeze it for every later length.
        x = F.pad(y, (0, -y.shape[-1] % self.period), mode="reflect")  # (N, 1, T + n_pad)
        x = x.unflatten(-1, (-1, self.period))  # type: ignore[no-untyped-call] # (N, 1, (T + n_pad) / p, p)
        fmaps = []
        for conv in self.convs:
            x = F.leaky_relu(conv(x), SLOPE)  # (N, C, L, p)
            fmaps.append(x)
        x = self.conv_post(x)  # (N, 1, L, p)
        return torch.flatten(x, 1), [*fmaps, x]


class MultiPeriodDiscriminator(Discriminators):
    """One ``DiscriminatorP`` for each period.

    Args:
        periods: the members to hold, in order.
    """

    def __init__(self, periods: Sequence[int]) -> None:
        super().__init__(DiscriminatorP(period) for period in periods)
