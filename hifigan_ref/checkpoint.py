"""Reading ``do_*`` training checkpoints: safely, strictly, in every spelling seen in the wild.

Keys and shapes do not identify a network: other projects use the same ones for other mathematics.
The layout is jik876/hifi-gan's; whoever passes a file says that it is.
"""

import os
import pickle
import re
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from hifigan_ref.errors import HifiError
from hifigan_ref.norms import Norm, set_norm
from hifigan_ref.trained import Conv, Trained, convolutions, finish
from hifigan_ref.variant import Variant, families, find_family

LAYOUT = "jik876"
NAMED_AT_MOST = 5
SHOWN_AT_MOST = 160  # characters of each
_DTYPES = (torch.float16, torch.bfloat16, torch.float32, torch.float64)
PREFIX = "module."
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
    """One convolution of a checkpoint, its tensors under the parametrizations' names."""

    norm: Norm
    tensors: Mapping[str, Tensor]


@dataclass(frozen=True)
class Checkpoint:
    """A source of weights: a training checkpoint, read and checked.

    Attributes:
        name: the file's name, without its folder.
        container: ``zip`` or ``legacy`` (PyTorch before 1.6).
        prefixed: whether keys began with ``module.`` (DataParallel).
        steps: training steps, or None where the file does not say.
        families: layers by family and path (``discriminators.0.convs.1``).
    """

    name: str
    container: str
    prefixed: bool
    steps: int | None
    families: Mapping[str, Mapping[str, Layer]]

    def check(self, variant: Variant) -> None:
        """Raises HifiError where the file does not hold the family."""
        if variant.family not in self.families:
            held = ", ".join(self.families)
            raise HifiError(f"{self.name} holds {held}, not {variant.family}: choose one it holds")

    def build(self, variant: Variant) -> Trained:
        """The variant with this checkpoint's weights and norms.

        Raises:
            HifiError: the file does not hold the family.
        """
        self.check(variant)
        members = variant.members()
        family = find_family(variant.family)
        module = family.build(members)
        state: dict[str, Tensor] = {}
        for path, conv in convolutions(module).items():
            layer = self.families[variant.family][_in_family(path, members, family.members)]
            set_norm(conv, layer.norm)
            state |= {f"{path}.{name}": tensor for name, tensor in layer.tensors.items()}
        module.load_state_dict(state, strict=True)
        return finish(variant, module, self.name)


def read_checkpoint(path: Path) -> Checkpoint:
    """Read a file that holds ``mpd``, ``msd`` or both.

    Raises:
        HifiError: missing, truncated, foreign, holding code, or with missing, extra, misshapen or
            non-finite weights.
    """
    content = _load(path)
    held = {name: content[name] for name in families() if name in content}
    if not held:
        raise HifiError(f"{path} {_foreign(content)}: give a do_* file of {LAYOUT}/hifi-gan")
    parsed = {}
    prefixed = False
    for name, state in held.items():
        if not isinstance(state, Mapping) or not all(isinstance(key, str) for key in state):
            raise HifiError(f"{path}: {name!r} is not a state dict: give a do_* file")
        prefixed = bool(state) and all(key.startswith(PREFIX) for key in state)
        bare = {key.removeprefix(PREFIX) if prefixed else key: t for key, t in state.items()}
        parsed[name] = _read_family(f"{path}: {name}", name, bare)
    steps = content.get("steps")
    container = "zip" if zipfile.is_zipfile(path) else "legacy"
    return Checkpoint(
        path.name, container, prefixed, steps if isinstance(steps, int) else None, parsed
    )


def _load(path: Path) -> Mapping[Any, Any]:
    if not os.path.isfile(path):  # noqa: PTH113 - says no to a name that is too long as well
        raise HifiError(f"checkpoint {path} is not a file: give the path of a do_* file")
    _check_archive(path)
    try:
        content = torch.load(
            path, map_location="cpu", weights_only=True, mmap=zipfile.is_zipfile(path)
        )
    except pickle.UnpicklingError as error:
        named = re.search(r"(?:GLOBAL|global:?)\s+([\w.]+)", str(error))
        if "global" not in str(error).lower():
            raise HifiError(
                f"checkpoint {path} is damaged or no PyTorch file: give an undamaged do_* file"
            ) from None
        raise HifiError(
            f"checkpoint {path} holds more than tensors ({named[1] if named else 'code'}); "
            "code in it is never run: save its state dicts alone"
        ) from None
    # The unpickler is fed untrusted bytes here and can stumble over them in any way.
    except Exception as error:  # noqa: BLE001
        raise HifiError(
            f"checkpoint {path} is truncated or no PyTorch file ({_first_line(error)}): "
            "copy it again"
        ) from None
    if not isinstance(content, Mapping):
        kind = type(content).__name__
        raise HifiError(f"{path} holds a {kind}, not a dict: give a do_* file")
    return content


def _check_archive(path: Path) -> None:
    """A zip file knows its content's checksums; PyTorch does not look at them."""
    try:
        if not zipfile.is_zipfile(path):
            return
        with zipfile.ZipFile(path) as archive:
            damaged = archive.testzip()
    except (zipfile.BadZipFile, OSError, EOFError, ValueError, NotImplementedError) as error:
        damaged = _first_line(error)
    if damaged is not None:
        raise HifiError(f"checkpoint {path} is damaged ({damaged}): copy it again")


def _first_line(error: Exception) -> str:
    lines = [line for line in str(error).splitlines() if line.strip()]
    told = next((line for line in lines if "GLOBAL" in line), lines[0] if lines else "")
    return told.strip()[:160] or type(error).__name__


def _foreign(content: Mapping[Any, Any]) -> str:
    if "generator" in content:
        return "is a generator's checkpoint (g_*)"
    named = ", ".join(map(_shown, sorted(map(str, content))[:NAMED_AT_MOST])) or "nothing"
    return f"has neither {' nor '.join(families())} (it has {named})"


def _shown(text: str) -> str:
    """A text out of a file, fit for one line of a terminal."""
    return "".join(c if c.isprintable() else "?" for c in text[:SHOWN_AT_MOST])


def _read_family(where: str, name: str, state: Mapping[str, Any]) -> dict[str, Layer]:
    problems: list[str] = []
    unread = dict(state)
    layers = {}
    for path, shapes in _expected(name).items():
        keys = [key for key in unread if key.startswith(f"{path}.")]
        own = {key.removeprefix(f"{path}."): unread.pop(key) for key in keys}
        layer = _read_layer(path, shapes, own, problems)
        if layer is not None:
            layers[path] = layer
    problems += [f"extra {key}" for key in sorted(unread)]
    if problems:
        named = "; ".join(map(_shown, problems[:NAMED_AT_MOST]))
        more = len(problems) - NAMED_AT_MOST
        raise HifiError(
            f"{where}: {named}{f'; and {more} more' if more > 0 else ''}: "
            f"give weights in the layout of {LAYOUT}/hifi-gan"
        )
    return layers


@cache
def _expected(name: str) -> Mapping[str, Shapes]:
    """Of each layer of a family, kept: a network that tells them takes up to a second to build."""
    family = find_family(name)
    with torch.device("meta"):
        network = family.build(family.members)
    return {path: _shapes(conv) for path, conv in convolutions(network).items()}


def _read_layer(
    path: str, shapes: Shapes, own: dict[str, Any], problems: list[str]
) -> Layer | None:
    before = len(problems)
    bias = own.pop("bias", None)
    if bias is None:
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
    tensors["bias"] = bias
    problems += [
        problem
        for key, tensor in tensors.items()
        if tensor is not None and (problem := _fault(f"{path}.{key}", tensor, shapes[key]))
    ]
    if len(problems) > before:
        return None
    return Layer(norm, tensors)


def _shapes(conv: Conv) -> Shapes:
    weight = tuple(conv.weight.shape)
    out, rest = weight[0], weight[1:]
    return {
        "bias": (out,),
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


def _in_family(path: str, members: tuple[str, ...], everyone: tuple[str, ...]) -> str:
    """Path of a layer of a partial network -> its path in the whole family."""
    root, index, rest = path.split(".", 2)
    return f"{root}.{everyone.index(members[int(index)])}.{rest}"
