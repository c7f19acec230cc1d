"""Other hyper-parameters of a network in its name: ``generator-v1@resblock=2+num_mels=100``.

So a name says all that there is to know of a network, wherever it is written.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from hifigan_ref.errors import HifiError, nearest

MARK = "@"
LONGEST = 32  # characters of settings that are shown as they are
DIGITS = 8
SPEAKER = "speaker"
DEPTHS = {
    "resblock": 0,
    "upsample_initial_channel": 0,
    "upsample_rates": 1,
    "upsample_kernel_sizes": 1,
    "resblock_kernel_sizes": 1,
    "resblock_dilation_sizes": 2,
    "num_mels": 0,
    "gin_channels": 0,
    "sampling_rate": 0,
    SPEAKER: 0,
}  # of the lists of numbers that each setting holds
_JOINTS = (".", "_")


@dataclass(frozen=True)
class Settings:
    """What differs from a network's own hyper-parameters.

    Attributes:
        base: the network's name.
        values: a number, a tuple of numbers, or a tuple of those, by jik876's keys.
    """

    base: str
    values: Mapping[str, Any]

    def __str__(self) -> str:
        told = [f"{key}={_text(value)}" for key, value in sorted(self.values.items())]
        return f"{self.base}{MARK}{'+'.join(told)}" if told else self.base

    @classmethod
    def parse(cls, name: str) -> "Settings":
        """Raises HifiError for what is no setting."""
        base, _, rest = name.partition(MARK)
        found = {}
        for each in filter(None, rest.split("+")):
            key, _, text = each.partition("=")
            known = _known(key, f"{name}: ")
            found[known] = _value(name, known, text)
        return cls(base, found)

    def but(self, **values: Any) -> "Settings":
        """With others beside; None takes one away."""
        merged = {**self.values, **values}
        return Settings(self.base, {k: v for k, v in merged.items() if v is not None})


def base_of(name: str) -> str:
    """A network's name without settings."""
    return name.partition(MARK)[0]


def short(name: str) -> str:
    """A name for files and tables: long settings as a digest."""
    base, mark, rest = name.partition(MARK)
    if len(rest) <= LONGEST:
        return name
    return f"{base}{mark}{hashlib.sha256(rest.encode()).hexdigest()[:DIGITS]}"


def stored_as(name: str) -> str:
    """The network whose weights a file has: a speaker is chosen after it is read."""
    return str(Settings.parse(name).but(speaker=None)) if MARK in name else name


def checked(where: str, key: str, value: Any, told: str = "") -> Any:
    """A setting's value, lists as tuples; jik876 writes ``resblock`` as text.

    Args:
        where: it stands, in words.
        key: of the setting.
        value: as it was read.
        told: what the setting is called there, if not as here.

    Raises:
        HifiError: the setting has no such value.
    """
    if key == "resblock" and isinstance(value, str) and value.isdecimal():
        value = int(value)
    made = _frozen(value, DEPTHS[key])
    if made is None:
        kind = ("a whole number", "a list of whole numbers", "a list of such lists")[DEPTHS[key]]
        raise HifiError(
            f"{where}: {told or key} is {json.dumps(value)[:80]}: give {kind} from 0 up"
        )
    return made


def _known(key: str, where: str) -> str:
    if key not in DEPTHS:
        raise HifiError(
            f"{where}there is no hyper-parameter {key!r}: {nearest(key, DEPTHS)}"
            f"choose from {', '.join(DEPTHS)}"
        )
    return key


def _frozen(value: Any, depth: int) -> Any:
    if depth == 0:
        fine = isinstance(value, int) and not isinstance(value, bool) and value >= 0
        return value if fine else None
    if not isinstance(value, list | tuple) or not value:
        return None
    made = tuple(_frozen(each, depth - 1) for each in value)
    return None if None in made else made


def _text(value: Any) -> str:
    if isinstance(value, int):
        return str(value)
    inner = isinstance(value[0], tuple)
    return _JOINTS[1 if inner else 0].join(_text(each) for each in value)


def _value(name: str, key: str, text: str) -> Any:
    def read(part: str, depth: int) -> Any:
        if depth == 0:
            return int(part) if part.isdecimal() else None
        return [read(each, depth - 1) for each in part.split(_JOINTS[depth - 1])]

    return checked(name, key, read(text, DEPTHS[key]))
