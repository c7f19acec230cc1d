"""What a discriminator says of a waveform, and the article's call on two of them."""

from collections.abc import Callable, Sequence

from torch import Tensor, nn

Judgement = tuple[Tensor, list[Tensor]]
"""Score (N, L) and feature maps, of one member."""

Verdicts = tuple[list[Tensor], list[Tensor], list[list[Tensor]], list[list[Tensor]]]
"""``y_d_rs, y_d_gs, fmap_rs, fmap_gs``: one entry per member in each list."""


def judge_both(judge: Callable[[Tensor], list[Judgement]], y: Tensor, y_hat: Tensor) -> Verdicts:
    """Scores and feature maps of y and y_hat, (N, 1, T) each, in the article's order."""
    real, generated = judge(y), judge(y_hat)
    return (
        [score for score, _ in real],
        [score for score, _ in generated],
        [fmaps for _, fmaps in real],
        [fmaps for _, fmaps in generated],
    )


class Judging(nn.Module):
    """An ensemble's judgements by name: ``score`` and ``fmap_0``... of each member.

    Args:
        network: has ``judge(y)``.
        prefixes: what the names of each member's outputs begin with.
    """

    def __init__(self, network: nn.Module, prefixes: Sequence[str]) -> None:
        super().__init__()
        self.network = network
        self.prefixes = tuple(prefixes)

    def forward(self, y: Tensor) -> dict[str, Tensor]:
        """Scores (N, L) and feature maps (N, C, ...) for y of shape (N, 1, T)."""
        named: dict[str, Tensor] = {}
        judgements = self.network.judge(y)  # type: ignore[operator]
        for prefix, (score, fmaps) in zip(self.prefixes, judgements, strict=True):
            named[f"{prefix}score"] = score
            named |= {f"{prefix}fmap_{i}": fmap for i, fmap in enumerate(fmaps)}
        return named
