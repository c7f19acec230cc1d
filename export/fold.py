"""Fold weight norm and spectral norm into plain weights, in float64."""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils import parametrize

from hifigan_ref.errors import HifiError
from hifigan_ref.norms import norm_of
from hifigan_ref.trained import Conv, convolutions
from hifigan_ref.variant import Variant

# A norm that training has iterated stays close to the largest singular value; vectors drawn at
# random give a small fraction of it.
TRUSTED_SHARE = 0.5
CHECK_ITERATIONS = 30
MOST_ERROR = 1e-5  # relative; rounding in float32 stays below 1e-6
TINY = 1e-300


@dataclass(frozen=True)
class FoldReport:
    """What was folded.

    Attributes:
        weight_norm: layers that had weight norm.
        spectral_norm: layers that had spectral norm.
        plain: layers that had no norm.
        max_relative_error: largest difference between a folded weight and the one PyTorch computes
            in float32, relative to the layer's largest weight.
    """

    weight_norm: int
    spectral_norm: int
    plain: int
    max_relative_error: float


def fold(module: nn.Module, variant: Variant | None = None) -> FoldReport:
    """Replace the norms of every convolution, in place.

    Both PyTorch APIs are read: ``nn.utils.parametrizations`` and the older hooks of ``nn.utils``.

    Args:
        module: the network.
        variant: that it computes; errors then name layers as a checkpoint does.

    Raises:
        HifiError: a spectral norm was never iterated, or a norm divides by zero or overflows.
    """
    layers = convolutions(module)
    norms = [norm_of(conv) for conv in layers.values()]
    with torch.no_grad():
        errors = [_fold_layer(_told(name, variant), conv) for name, conv in layers.items()]
    unfolded = [name for name, conv in layers.items() if not is_plain(conv)]
    assert not unfolded, f"norms left on {unfolded}"
    return FoldReport(
        norms.count("weight_norm"),
        norms.count("spectral_norm"),
        norms.count("none"),
        max(errors, default=0.0),
    )


def _told(name: str, variant: Variant | None) -> str:
    """``discriminators.0.convs.2`` of period 11 is mpd's ``discriminators.4.convs.2``."""
    return name if variant is None else f"{variant.family}'s {variant.in_family(name)}"


def is_plain(conv: nn.Module) -> bool:
    """Whether a layer's weight is an ordinary parameter that nothing recomputes."""
    hooked = bool(conv._forward_pre_hooks)  # noqa: SLF001
    return "weight" in dict(conv.named_parameters(recurse=False)) and not hooked


def _fold_layer(name: str, conv: Conv) -> float:
    norm = norm_of(conv)
    if norm == "none":
        return 0.0
    weight = _weight_norm(name, conv) if norm == "weight_norm" else _spectral_norm(name, conv)
    for hook in conv._forward_pre_hooks.values():  # noqa: SLF001
        hook(conv, ())  # the older API computes the weight only before a forward pass
    used = conv.weight.detach()
    _strip(conv, norm)
    conv.weight = nn.Parameter(weight.to(used.dtype), requires_grad=False)
    error = ((weight - used.double()).abs().max() / weight.abs().max().clamp_min(TINY)).item()
    if not error <= MOST_ERROR:
        raise HifiError(
            f"the {norm.replace('_', ' ')} of {name} folds to weights that are {error:.1g} from "
            "those that PyTorch computes in float32: its numbers overflow or underflow; look at "
            "the checkpoint"
        )
    return error


def _strip(conv: Conv, norm: str) -> None:
    """Take the norm off a layer, which then has no weight or a stale one.

    ``remove_parametrizations`` deletes from a class that deep copies share: folding a copy would
    break the original.
    """
    if parametrize.is_parametrized(conv):
        conv.__class__ = type(conv).__bases__[0]
        del conv.parametrizations
    elif norm == "weight_norm":
        nn.utils.remove_weight_norm(conv)
    else:
        nn.utils.remove_spectral_norm(conv)


def _tensors(conv: Conv, old: tuple[str, ...], new: tuple[str, ...]) -> list[Tensor]:
    state = conv.state_dict()
    names = old if old[0] in state else new
    return [state[name].double() for name in names]


def _weight_norm(name: str, conv: Conv) -> Tensor:
    """g v / |v|, the norm over all axes but the first."""
    parametrized = [f"parametrizations.weight.original{i}" for i in (0, 1)]
    g, v = _tensors(conv, ("weight_g", "weight_v"), tuple(parametrized))
    length: Tensor = torch.linalg.vector_norm(v.flatten(1), dim=1)
    if not length.all():
        raise HifiError(
            f"the weight norm of {name} divides by the length of a vector of zeros: "
            "look at the checkpoint"
        )
    return g * v / length.view_as(g)


def _spectral_norm(name: str, conv: Conv) -> Tensor:
    """W / (u . W v) with the stored u and v, as PyTorch evaluates it."""
    root = "parametrizations.weight."
    new = (f"{root}original", f"{root}0._u", f"{root}0._v")
    weight, u, v = _tensors(conv, ("weight_orig", "weight_u", "weight_v"), new)
    transposed = isinstance(conv, nn.ConvTranspose1d | nn.ConvTranspose2d)
    matrix = (weight.transpose(0, 1) if transposed else weight).flatten(1)
    sigma = (u @ matrix @ v).item()
    largest = _largest_singular(matrix, u)
    if not sigma > TRUSTED_SHARE * largest:
        raise HifiError(
            f"the spectral norm of {name} was never iterated (it divides by {sigma:.3g}; the "
            f"largest singular value is about {largest:.3g}): train, or run the network once in "
            "train mode, before saving"
        )
    return weight / sigma


def _largest_singular(matrix: Tensor, u: Tensor) -> float:
    for _ in range(CHECK_ITERATIONS):
        v = F.normalize(matrix.T @ u, dim=0)
        u = F.normalize(matrix @ v, dim=0)
    return (u @ matrix @ v).item()
