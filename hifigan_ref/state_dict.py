"""A network's layers out of the keys of its state dict: strictly, in every spelling of norms."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import torch
from torch import Tensor, nn

from hifigan_ref.errors import HifiError, shown
from hifigan_ref.layout import Layout
from hifigan_ref.norms import Norm
from hifigan_ref.trained import Conv, convolutions, statistics
from hifigan_ref.variant import find_network
from hifigan_ref.vocoder import Vocoder

NAMED_AT_MOST = 5
_DTYPES = (torch.float16, torch.bfloat16, torch.float32, torch.float64)
Shapes = Mapping[str, tuple[int, ...]]  # by the parametrizations' names

# A layer's keys without its bias -> the norm and the names in PyTorch's parametrizations.
# ``weight_v`` is a direction beside ``weight_g`` and a vector beside ``weight_orig``: the whole
# set of keys decides, never one name.
_WEIGHT_NORM = ("parametrizations.weight.original0", "parametrizations.weight.original1")
_SPECTRAL_NORM = (
    "parametrizations.weight.original",
    "parametrizations.weight.0._u",
    "parametrizations.weight.0._v",
)
_SPELLINGS: tuple[tuple[Norm, tuple[str, ...], tuple[str, ...]], ...] = (
    ("weight_norm", ("weight_g", "weight_v"), _WEIGHT_NORM),
    ("weight_norm", _WEIGHT_NORM, _WEIGHT_NORM),
    ("spectral_norm", ("weight_orig", "weight_u", "weight_v"), _SPECTRAL_NORM),
    ("spectral_norm", _SPECTRAL_NORM, _SPECTRAL_NORM),
    ("none", ("weight",), ("weight",)),
)


@dataclass(frozen=True)
class Layer:
    """One convolution of a checkpoint, its tensors under the parametrizations' names.

    Or one stored number, under its own path.
    """

    norm: Norm
    tensors: Mapping[str, Tensor]


def read_state(where: str, name: str, state: Mapping[str, Any], layout: Layout) -> dict[str, Layer]:
    """The layers of a network and its stored numbers, each key and shape as it must be.

    Args:
        where: what is read, for the message.
        name: the network.
        state: its state dict, without wrappers.
        layout: that its names are of.

    Raises:
        HifiError: missing, extra, misshapen or non-finite weights, or tensors of another kind.
    """
    problems: list[str] = []
    unread = dict(state)
    layers = {}
    for path, shape in _stored(name).items():
        own = {path: unread.pop(path)} if path in unread else {}
        problems += [fault for key in own if (fault := _fault(key, own[key], shape))]
        problems += [] if own else [f"missing {path}"]
        layers[path] = Layer("none", own)
    for path, shapes in _expected(name).items():
        keys = [key for key in unread if key.startswith(f"{path}.")]
        own = {key.removeprefix(f"{path}."): unread.pop(key) for key in keys}
        layer = _read_layer(path, shapes, own, problems)
        if layer is not None:
            layers[path] = layer
    problems += [f"extra {key}" for key in sorted(unread)]
    if problems:
        named = "; ".join(map(shown, problems[:NAMED_AT_MOST]))
        more = len(problems) - NAMED_AT_MOST
        other = ", or its hyper-parameters with --config" if _changes(name) else ""
        raise HifiError(
            f"{where}: {named}{f'; and {more} more' if more > 0 else ''}: "
            f"give weights of {name} in the layout of {layout.project}{other}"
        )
    return layers


@cache
def _built(name: str) -> nn.Module:
    """Kept: it takes up to a second to build."""
    network = find_network(name)
    with torch.device("meta"):
        return network.build(network.parts)


@cache
def _expected(name: str) -> Mapping[str, Shapes]:
    """Of each layer of a network."""
    return {path: _shapes(conv) for path, conv in convolutions(_built(name)).items()}


def _stored(name: str) -> Mapping[str, tuple[int, ...]]:
    """The shape of each number of a network that is no layer's."""
    return {path: tuple(each.shape) for path, each in statistics(_built(name)).items()}


def _changes(name: str) -> bool:
    return isinstance(find_network(name), Vocoder)


def likeness(name: str, state: Mapping[str, Any]) -> float:
    """Which part of the layers of a network and of a state dict they have in common, 0 to 1.

    A layer is the same where a tensor of it has the shape of the weight, half of it by its name.
    """
    expected = {path: shapes["weight"] for path, shapes in _expected(name).items()}
    expected |= _stored(name)
    held, alike = set(), set()
    for key, tensor in state.items():
        path = next((p for p in expected if key.startswith(f"{p}.")), key)
        held.add(path)
        if tuple(getattr(tensor, "shape", ())) == expected.get(path):
            alike.add(path)
    named = expected.keys() & held
    return (len(named) + len(alike)) / 2 / max(len(expected.keys() | held), 1)


def _read_layer(
    path: str, shapes: Shapes, own: dict[str, Any], problems: list[str]
) -> Layer | None:
    before = len(problems)
    bias = own.pop("bias", None) if "bias" in shapes else None
    if bias is None and "bias" in shapes:
        problems.append(f"missing {path}.bias")
    spelling = next((each for each in _SPELLINGS if set(each[1]) <= set(own)), None)
    if spelling is None:
        problems.append(
            f"missing {path}.weight (in any spelling; found {sorted(own) or 'nothing'})"
        )
        return None
    norm, found, names = spelling
    tensors = {new: own.pop(old) for old, new in zip(found, names, strict=True)}
    problems += [f"extra {path}.{key}" for key in sorted(own)]
    tensors |= {} if bias is None else {"bias": bias}
    problems += [
        problem
        for key, tensor in tensors.items()
        if (problem := _fault(f"{path}.{key}", tensor, shapes[key]))
    ]
    if len(problems) > before:
        return None
    return Layer(norm, tensors)


def _shapes(conv: Conv) -> Shapes:
    weight = tuple(conv.weight.shape)
    out, rest = weight[0], weight[1:]
    return {
        **({} if conv.bias is None else {"bias": tuple(conv.bias.shape)}),
        "weight": weight,
        _WEIGHT_NORM[0]: (out, *(1 for _ in rest)),
        _WEIGHT_NORM[1]: weight,
        _SPECTRAL_NORM[0]: weight,
        _SPECTRAL_NORM[1]: (out,),
        _SPECTRAL_NORM[2]: (int(torch.Size(rest).numel()),),
    }


def _fault(name: str, tensor: object, shape: tuple[int, ...]) -> str:
    if (
        not isinstance(tensor, Tensor)
        or tensor.dtype not in _DTYPES
        or tensor.layout != torch.strided
        or tensor.device.type != "cpu"
    ):
        return f"{name} is not a dense tensor of 16, 32 or 64 bit floats"
    if tuple(tensor.shape) != shape:
        return f"{name} has shape {tuple(tensor.shape)}, expected {shape}"
    if not tensor.float().isfinite().all():
        return f"{name} holds NaN or Inf (in float32)"
    return ""
