"""A safetensors file: a flat table of tensors, which can hold no code."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from hifigan_ref.errors import HifiError, in_one_line, shown
from hifigan_ref.variant import USUAL
from hifigan_ref.wrappers import split_lead

if TYPE_CHECKING:
    from torch import Tensor


def read_safetensors(path: Path) -> dict[str, object]:
    """Its tensors by name, those of the families (``mpd.discriminators...``) as state dicts.

    Raises:
        HifiError: truncated or damaged; the library holds every offset against shape and size.
    """
    from safetensors import safe_open

    try:
        with safe_open(path, framework="pt", device="cpu") as file:
            return by_family({name: file.get_tensor(name) for name in file.keys()})  # noqa: SIM118
    # The library is fed untrusted bytes here, and PyTorch may lack a type that they name.
    except Exception as error:  # noqa: BLE001
        raise HifiError(
            f"checkpoint {path} is damaged or no safetensors file "
            f"({shown(in_one_line(error))}): copy it again"
        ) from None


def by_family(flat: "Mapping[str, Tensor]") -> dict[str, object]:
    """``module.mpd.x`` -> ``{"mpd": {"module.x": ...}}``: wrappers go behind the family."""
    content: dict[str, object] = {}
    held: dict[str, dict[str, Tensor]] = {}
    for name, tensor in flat.items():
        lead, bare = split_lead(name)
        family, _, key = bare.partition(".")
        if family in USUAL:
            state = held.setdefault(family, {})
            moved = f"{lead}{key}"
            state[name if moved in state else moved] = tensor  # which is then a key too many
        else:
            content[name] = tensor
    return content | held
