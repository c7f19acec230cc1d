"""How many elements of an axis go into each output of a network's innermost layer."""

import copy
from collections.abc import Mapping
from typing import TYPE_CHECKING

import torch

from export.interface import function_of
from export.request import ExportRequest
from hifigan_ref.network import BATCH, Sizes
from hifigan_ref.trained import convolutions

if TYPE_CHECKING:
    from torch import Tensor, nn

ADDED = 479_001_600  # elements, of which any usual product of strides is a divisor: 12!

Shapes = dict[str, tuple[int, ...]]  # of what each layer computes, by its path


def hops(network: "nn.Module", request: ExportRequest) -> Mapping[str, float]:
    """Elements of each dynamic axis for each output of the innermost layer.

    Of several parts, the one whose innermost layer is widest counts. Seen from the shapes that
    layers compute at two lengths, without computing: an axis that changes none is left out.

    Args:
        network: as it was built, with norms or without.
        request: whose axes.
    """
    module = copy.deepcopy(network).to("meta")
    typical = request.sized({BATCH: 1})
    first = _shapes(module, request, typical)
    found = {}
    for name in request.signature.axes:
        if name != BATCH and name not in request.sizes:
            longer = {**typical, name: typical[name] + ADDED}
            deepest = _deepest(request, first, _shapes(module, request, longer))
            if deepest:
                found[name] = min(deepest)
    return found


def _deepest(request: ExportRequest, short: Shapes, long: Shapes) -> list[float]:
    """Of each part, the most elements for each output of a layer."""
    found: dict[str, float] = {}
    places = (*request.variant.scopes(), "")
    for path, shape in short.items():
        part = next(place for place in places if path.startswith(place))
        for before, after in zip(shape, long[path], strict=True):
            if after > before:
                found[part] = max(found.get(part, 0.0), ADDED / (after - before))
    return list(found.values())


def _shapes(module: "nn.Module", request: ExportRequest, sizes: Sizes) -> Shapes:
    found: Shapes = {}

    def note(path: str) -> "torch.utils.hooks.RemovableHandle":
        def hook(_: "nn.Module", __: object, output: "Tensor") -> None:
            found[path] = tuple(output.shape)

        return layers[path].register_forward_hook(hook)

    layers = convolutions(module)
    handles = [note(path) for path in layers]
    ports = request.variant.signature.inputs
    given = {port.name: torch.empty(port.sized(sizes), device="meta") for port in ports}
    with torch.no_grad():
        function_of(module, request.variant)(**given)
    for handle in handles:
        handle.remove()
    return found
