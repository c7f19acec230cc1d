"""The function that every runtime computes: named waveforms in, named scores and feature maps out.

Names: ``score``, ``fmap_0``... for one member, ``mpd_11_score``, ``mpd_11_fmap_0``... for an
ensemble; in a pair graph the same names end in ``_real`` and ``_fake``.
"""

import torch
from torch import Tensor, nn

from export.request import ExportRequest
from hifigan_ref.variant import Variant


class Interface(nn.Module):
    """One waveform in, ``{name: tensor}`` out.

    Args:
        network: has ``judge(y)``.
        request: which outputs, and whose names.
    """

    def __init__(self, network: nn.Module, request: ExportRequest) -> None:
        super().__init__()
        self.network = network
        self.prefixes = _prefixes(request.variant)
        self.with_fmaps = request.outputs == "all"

    def forward(self, y: Tensor) -> dict[str, Tensor]:
        """Outputs for y of shape (N, 1, T)."""
        named: dict[str, Tensor] = {}
        judgements = self.network.judge(y)  # type: ignore[operator]
        for prefix, (score, fmaps) in zip(self.prefixes, judgements, strict=True):
            named[f"{prefix}score"] = score
            if self.with_fmaps:
                named |= {f"{prefix}fmap_{i}": fmap for i, fmap in enumerate(fmaps)}
        return named


class PairInterface(Interface):
    """Real and generated waveforms as one batch: the article's call in a single pass."""

    def forward(self, y: Tensor, y_hat: Tensor) -> dict[str, Tensor]:  # type: ignore[override]
        """Outputs for y and y_hat of shape (N, 1, T) each."""
        count = y.shape[0]
        both = super().forward(torch.cat((y, y_hat)))
        named: dict[str, Tensor] = {}
        for name, tensor in both.items():
            named[f"{name}_real"] = tensor[:count]
            named[f"{name}_fake"] = tensor[count:]
        return named


def interface(network: nn.Module, request: ExportRequest) -> Interface:
    """The request's function around a network."""
    return (PairInterface if request.pair else Interface)(network, request)


def _prefixes(variant: Variant) -> tuple[str, ...]:
    if variant.member is not None:
        return ("",)
    return tuple(f"{variant.family}_{member}_" for member in variant.members())
