"""The keys of a sweep file: what each may be, and how it is read."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from bench.backend import find
from hifigan_ref.network import SAMPLES
from hifigan_ref.views import SCORES

MOST_SECONDS = 24 * 3600
MOST_DECIBELS = 300

Read = Callable[[object], object]


@dataclass(frozen=True)
class Key:
    """One key.

    Attributes:
        allowed: what it may be, in words.
        read: its value from TOML's; raises ValueError where it is not allowed, HifiError where
            it could be but names what does not exist.
    """

    allowed: str
    read: Read


def _require(value: object, kind: type | tuple[type, ...], allowed: bool = True) -> None:
    # bool is an int in Python and a type of its own in TOML
    if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool) or not allowed:
        raise ValueError


def _text(value: object) -> str:
    _require(value, str, allowed=value != "" and "\0" not in str(value))
    return str(value)


def _backend(value: object) -> str:
    spec = _text(value)
    find(spec)
    return spec


def _outputs(value: object) -> str:
    _require(value, str, allowed=value in ("all", SCORES))
    return str(value)


def _flag(value: object) -> bool:
    _require(value, bool)
    return bool(value)


def _path(value: object) -> Path:
    return Path(_text(value))


def _seconds(value: object) -> float:
    _require(value, (int, float))
    assert isinstance(value, int | float)
    _require(value, (int, float), allowed=0 < value < MOST_SECONDS)
    return float(value)


def _decibels(value: object) -> float:
    _require(value, (int, float))
    assert isinstance(value, int | float)
    _require(value, (int, float), allowed=abs(value) <= MOST_DECIBELS)
    return float(value)


def _whole(least: int | None = None, most: int | None = None) -> Callable[[object], int]:
    def read(value: object) -> int:
        _require(value, int)
        assert isinstance(value, int)
        above = least is None or value >= least
        _require(value, int, allowed=above and (most is None or value <= most))
        return value

    return read


def _list(read_item: Read, alone: bool = False) -> Callable[[object], tuple[object, ...]]:
    """Each value once; ``alone``: one value may stand without its brackets."""

    def read(value: object) -> tuple[object, ...]:
        items = value if isinstance(value, list) or not alone else [value]
        _require(items, list, allowed=bool(items))
        assert isinstance(items, list)
        return tuple(dict.fromkeys(read_item(item) for item in items))

    return read


def _axes(value: object) -> dict[str, tuple[object, ...]]:
    _require(value, dict, allowed=bool(value))
    assert isinstance(value, dict)
    return {name: _list(_whole(1))(lengths) for name, lengths in value.items()}


def _files(value: object) -> dict[str, Path]:
    _require(value, dict, allowed=bool(value))
    assert isinstance(value, dict)
    return {name: _path(file) for name, file in value.items()}


KEYS: Mapping[str, Key] = {
    "backends": Key('a list of texts as in --backend, ["ort-cpu"]', _list(_backend)),
    "precision": Key('a list of precisions, ["fp32", "bf16"]', _list(_text)),
    "variants": Key('a list of networks, ["mpd", "msd-0"]', _list(_text)),
    "batches": Key("a list of whole numbers from 1, [1, 16]", _list(_whole(1))),
    SAMPLES: Key("a list of whole numbers from 1, [8192]", _list(_whole(1))),
    "axes": Key("lists of whole numbers from 1 by axis, { frames = [32, 860] }", _axes),
    "inputs": Key('files of values by input, { mel = "mel.npy" }', _files),
    "outputs": Key('"all" or "scores"', _outputs),
    "pair": Key("true, false or [true, false]", _list(_flag, alone=True)),
    "threads": Key("a whole number, 1 to 1024", _whole(1, 1024)),
    "checkpoint": Key("the path of a do_* file, as text", _path),
    "seed": Key("a whole number", _whole()),
    "wav": Key("the path of a mono wav file, as text", _path),
    "limit": Key("seconds above 0, less than a day", _seconds),
    "rounds": Key("a whole number from 1", _whole(1)),
    "timeout": Key("seconds above 0, less than a day", _seconds),
    "min_snr": Key("a least SNR in dB, -300 to 300", _decibels),
}
