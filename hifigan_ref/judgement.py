"""What a discriminator says of a waveform, and the article's call on two of them."""

from collections.abc import Callable

from torch import Tensor

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
