"""Several discriminators that hear the same waveform: what VITS and its relatives train with."""

from collections.abc import Iterable

from torch import Tensor, nn

from hifigan_ref.judgement import Judgement, Verdicts, judge_both


class Discriminators(nn.Module):
    """A list of discriminators, each of which sees the waveform itself.

    Args:
        members: each takes y, (N, 1, T), and returns a score and feature maps.
    """

    def __init__(self, members: Iterable[nn.Module]) -> None:
        super().__init__()
        self.discriminators = nn.ModuleList(members)

    def judge(self, y: Tensor) -> list[Judgement]:
        """(score, feature maps) of each member for y of shape (N, 1, T)."""
        return [discriminator(y) for discriminator in self.discriminators]

    def forward(self, y: Tensor, y_hat: Tensor) -> Verdicts:
        """``y_d_rs, y_d_gs, fmap_rs, fmap_gs`` for y (real) and y_hat (generated), (N, 1, T)."""
        return judge_both(self.judge, y, y_hat)
