"""What tells one HiFi-GAN generator from another."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from math import prod
from operator import mul


@dataclass(frozen=True)
class HyperParameters:
    """Of a generator, under the names of jik876/hifi-gan where that has one.

    Attributes:
        resblock: 1: pairs of convolutions, a dilated one and a plain one; 2: dilated ones alone.
        upsample_rates: stride of each transposed convolution.
        upsample_kernel_sizes: taps of each.
        upsample_initial_channel: channels behind ``conv_pre``; each step halves them.
        resblock_kernel_sizes: taps of the residual blocks that run side by side.
        resblock_dilation_sizes: dilations of each of them.
        bins: channels of the input.
        gin_channels: of the speaker's vector; 0: there is none.
        plain_ends: ``conv_pre`` and ``conv_post`` have no weight norm.
        post_bias: ``conv_post`` has a bias.
        standardized: each bin is brought to mean 0 and deviation 1 first, by stored numbers.
    """

    resblock: int
    upsample_rates: tuple[int, ...]
    upsample_kernel_sizes: tuple[int, ...]
    upsample_initial_channel: int
    resblock_kernel_sizes: tuple[int, ...]
    resblock_dilation_sizes: tuple[tuple[int, ...], ...]
    bins: int = 80
    gin_channels: int = 0
    plain_ends: bool = False
    post_bias: bool = True
    standardized: bool = False

    @property
    def hop(self) -> int:
        """Samples of audio for each frame."""
        return self.product(self.upsample_rates)

    @staticmethod
    def product(rates: Sequence[int]) -> int:
        """Samples that transposed convolutions of these rates make of one."""
        return prod(rates)

    def channels(self, step: int) -> int:
        """Behind so many transposed convolutions."""
        return self.upsample_initial_channel >> step

    @property
    def widest(self) -> int:
        """Values of the widest activation for each frame."""
        hops = accumulate(self.upsample_rates, mul)
        widths: list[int] = [self.channels(step + 1) * hop for step, hop in enumerate(hops)]
        return max(widths)

    @property
    def parameters(self) -> int:
        """Number of values, norms' vectors not counted."""
        first = self.channels(0)
        ends = first * (7 * self.bins + 1) + 7 * self.channels(self.steps) + self.post_bias
        cond = first * (self.gin_channels + 1) if self.gin_channels else 0
        return ends + cond + sum(self._step(step) for step in range(self.steps))

    @property
    def steps(self) -> int:
        """Number of transposed convolutions."""
        return len(self.upsample_rates)

    def _step(self, step: int) -> int:
        """Values of one transposed convolution and of the blocks behind it."""
        before, c = self.channels(step), self.channels(step + 1)
        convs = (2 if self.resblock == 1 else 1) * c
        blocks = zip(self.resblock_kernel_sizes, self.resblock_dilation_sizes, strict=True)
        held = sum(convs * len(dilations) * (c * taps + 1) for taps, dilations in blocks)
        return c * (before * self.upsample_kernel_sizes[step] + 1) + held
