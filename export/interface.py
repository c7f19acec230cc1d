"""The function that every runtime computes: named tensors in, named tensors out.

In a pair graph the names of the second inputs end in ``_hat``, and those of the outputs in
``_real`` and ``_fake``.
"""

from collections.abc import Iterable

import torch
from torch import Tensor, nn

from export.request import ExportRequest
from hifigan_ref.named_outputs import named_outputs
from hifigan_ref.variant import Variant
from hifigan_ref.views import SECOND, SIDES


class Interface(nn.Module):
    """What a request's signature says.

    Args:
        network: as the request's network builds it.
        request: which outputs, and whether as a pair.
    """

    def __init__(self, network: nn.Module, request: ExportRequest) -> None:
        super().__init__()
        self.network = network
        self.variant = request.variant
        self.function = function_of(network, request.variant)
        self.outputs = tuple(port.name for port in request.signature.outputs)
        self.pair = request.pair

    def forward(self, **inputs: Tensor) -> dict[str, Tensor]:
        """Outputs by name for inputs by name; a pair's as one batch in a single pass."""
        if not self.pair:
            found = named_outputs(self.function(**inputs))
            return {name: found[name] for name in self.outputs}
        names = [name for name in inputs if not name.endswith(SECOND)]
        count = inputs[names[0]].shape[0]
        both = {name: torch.cat((inputs[name], inputs[f"{name}{SECOND}"])) for name in names}
        found = named_outputs(self.function(**both))
        sides = {f"{n}{end}": x for n, t in found.items() for end, x in _sides(t, count)}
        return {name: sides[name] for name in self.outputs}


def function_of(network: nn.Module, variant: Variant) -> nn.Module:
    """A network's own function: what its signature takes and gives."""
    return variant.network.function(network, variant.members(), variant.member is not None)


def interface(network: nn.Module, request: ExportRequest) -> Interface:
    """The request's function around a network."""
    return Interface(network, request)


def _sides(tensor: Tensor, count: int) -> "Iterable[tuple[str, Tensor]]":
    return zip(SIDES, (tensor[:count], tensor[count:]), strict=True)
