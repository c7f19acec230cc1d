"""A network with its weights, as trained: norms still in place."""

import hashlib
from dataclasses import dataclass

import torch
from torch import nn

from hifigan_ref.variant import Variant

Conv = nn.Conv1d | nn.Conv2d | nn.ConvTranspose1d | nn.ConvTranspose2d | nn.Linear


@dataclass(frozen=True)
class Trained:
    """What every runtime is measured against.

    Attributes:
        variant: what the network computes.
        module: float32, eval mode, norms in place.
        origin: where the weights come from, without a folder (``seed 0``, ``do_02500000``).
        digest: sha256 of the state dict.
    """

    variant: Variant
    module: nn.Module
    origin: str
    digest: str


def finish(variant: Variant, module: nn.Module, origin: str) -> Trained:
    """Freeze a filled module into a record."""
    module = module.float().eval().requires_grad_(False)
    return Trained(variant, module, origin, state_digest(module))


def state_digest(module: nn.Module) -> str:
    """sha256 over names, types, shapes and bytes of the state dict, in sorted order."""
    digest = hashlib.sha256()
    for name, tensor in sorted(module.state_dict().items()):
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        digest.update(tensor.detach().contiguous().view(-1).view(torch.uint8).numpy())
    return digest.hexdigest()


def convolutions(module: nn.Module) -> dict[str, Conv]:
    """Every layer of a network that weighs, by its path."""
    return {name: each for name, each in module.named_modules() if isinstance(each, Conv)}


def statistics(module: nn.Module) -> dict[str, torch.Tensor]:
    """Every stored number of a network that is not its layers', by its path."""
    layers = tuple(f"{path}." for path in convolutions(module))
    return {name: each for name, each in module.named_buffers() if not name.startswith(layers)}
