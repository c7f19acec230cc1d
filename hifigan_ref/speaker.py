"""A decoder of many speakers as that of one."""

import torch
from torch import Tensor, nn

from hifigan_ref.errors import HifiError


def fix_speaker(module: nn.Module, vectors: Tensor | None, speaker: int, where: str) -> None:
    """Put a speaker into the bias of ``conv_pre``, in place, in float64.

    What ``cond`` adds behind ``conv_pre`` is the same at every frame, as a bias is.

    Args:
        module: the generator, with ``cond``.
        vectors: of all speakers, (speakers, gin_channels); None where the file has none.
        speaker: which, from 0.
        where: whose they are, for the message.

    Raises:
        HifiError: there is no such speaker.
    """
    cond, first = module.get_submodule("cond"), module.get_submodule("conv_pre")
    assert isinstance(cond, nn.Conv1d) and isinstance(first, nn.Conv1d)
    assert cond.bias is not None and first.bias is not None
    if vectors is None or vectors.dim() != 2 or vectors.shape[1] != cond.in_channels:
        raise HifiError(f"{where} holds no vectors of speakers that fit: leave out --speaker")
    if not 0 <= speaker < len(vectors):
        raise HifiError(f"{where} has no speaker {speaker}: choose 0 to {len(vectors) - 1}")
    with torch.no_grad():
        added = cond.weight.double()[:, :, 0] @ vectors[speaker].double() + cond.bias.double()
        first.bias.copy_(first.bias.double() + added)
    del module.cond
