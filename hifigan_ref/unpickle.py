"""Reading what ``torch.save`` wrote, without running anything that is in it."""

import pickle
import re
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from hifigan_ref.errors import HifiError, in_one_line, shown
from hifigan_ref.stand_ins import STAND_INS


def unpickle(path: Path, mapped: bool) -> Mapping[Any, Any]:
    """The dict in a file.

    Args:
        path: of a file in one of PyTorch's containers.
        mapped: leave tensors in the file until they are looked at.

    Raises:
        HifiError: damaged, holding code, or no dict.
    """
    allowed = torch.serialization.safe_globals(
        [(stand_in, name) for name, stand_in in STAND_INS.items()]
    )
    with warnings.catch_warnings(record=True) as told, allowed:
        warnings.simplefilter("always")
        try:
            content = torch.load(path, map_location="cpu", weights_only=True, mmap=mapped)
        except pickle.UnpicklingError as error:
            newer = any("pickle protocol" in str(each.message) for each in told)
            raise HifiError(f"checkpoint {path} {_refusal(str(error), newer)}") from None
        # The unpickler is fed untrusted bytes here and can stumble over them in any way.
        except Exception as error:  # noqa: BLE001
            raise HifiError(
                f"checkpoint {path} is truncated or no PyTorch file "
                f"({shown(in_one_line(error))}): copy it again"
            ) from None
    if not isinstance(content, Mapping):
        kind = type(content).__name__
        raise HifiError(f"{path} holds a {kind}, not a dict: give a do_* file")
    return content


def _refusal(error: str, newer: bool) -> str:
    """What PyTorch's message of several lines says: its GLOBAL is the name in the file."""
    named = re.search(r"GLOBAL (\S+)", error)
    if named:
        name = named[1] if "." in named[1] else f"builtins.{named[1]}"  # which PyTorch cuts off
        return (
            f"holds more than tensors ({shown(name)}); code in it is never run: "
            "save its state dicts alone"
        )
    if newer:
        return (
            "has a newer pickle protocol than PyTorch reads safely: "
            "save it with torch.save's own, which is 2"
        )
    if "allowlist" in error or "Trying to call reduce" in error or "must be imported" in error:
        return "holds more than tensors; code in it is never run: save its state dicts alone"
    return "is damaged or no PyTorch file: give an undamaged do_* file"
