"""Weight norm and spectral norm of one convolution: which it has, and giving it another."""

from typing import Literal

from torch import nn
from torch.nn.utils import parametrizations, parametrize

from hifigan_ref.trained import Conv

Norm = Literal["weight_norm", "spectral_norm", "none"]


def norm_of(conv: nn.Module) -> Norm:
    """The norm that a layer has through PyTorch's parametrizations or through its old hooks."""
    names = {name for name, _ in conv.named_parameters()}
    names |= {name for name, _ in conv.named_buffers()}
    if {"weight_orig", "parametrizations.weight.original"} & names:
        return "spectral_norm"
    if {"weight_g", "parametrizations.weight.original0"} & names:
        return "weight_norm"
    return "none"


def set_norm(conv: Conv, norm: Norm) -> None:
    """Make a layer of the reference (parametrizations) hold the given norm instead of its own."""
    if norm_of(conv) == norm:
        return
    if parametrize.is_parametrized(conv, "weight"):
        parametrize.remove_parametrizations(conv, "weight")
    if norm == "weight_norm":
        parametrizations.weight_norm(conv)
    elif norm == "spectral_norm":
        parametrizations.spectral_norm(conv)
