"""A matrix of measurements as a small TOML file, read and checked before any work."""

import re
import tomllib
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any

from bench.backend import backends, find, joined, lacking, parted
from bench.choice import check, in_precisions
from bench.machine.survey import usable_cores
from bench.names import workload_name
from bench.precisions import PLAN
from bench.sweep.keys import KEYS
from bench.sweep.part import SweepPart
from export.request import views_of
from hifigan_ref import audio
from hifigan_ref.errors import HifiError
from hifigan_ref.module_spec import is_module, parse_spec
from hifigan_ref.network import BATCH, SAMPLES
from hifigan_ref.rate import CLIP_RATE
from hifigan_ref.text_file import UnreadableError, read_text
from hifigan_ref.variant import Variant

MATRIX = "matrix"
HEADING = re.compile(r"\s*\[\[\s*matrix\s*\]\]")


def read(path: Path) -> tuple[SweepPart, ...]:
    """The parts of a sweep, in the order of the file. Paths in it are relative to it.

    Raises:
        HifiError: not readable, no TOML, an unknown key, a value that is not allowed, a cell that
            is there twice, or waveforms of several rates.
    """
    text = _text(path)
    try:
        top = tomllib.loads(text)
    except (ValueError, RecursionError) as error:  # numbers of 4301 digits, a thousand brackets
        raise HifiError(f"{path} is no TOML ({error}): mend it") from None
    tables = top.pop(MATRIX, [{}])
    if not isinstance(tables, list) or not all(isinstance(each, dict) for each in tables):
        raise HifiError(f"{path}: {MATRIX} is no list of tables: write [[{MATRIX}]] above each")
    shared = _values(top, path, text, 0)
    parts: list[SweepPart] = []
    for number, table in enumerate(tables, 1):
        values = {**shared, **_values(table, path, text, number)}
        try:
            parts += _parts(values)
        except HifiError as error:
            where = f"{path}, {MATRIX} {number}" if table else str(path)
            raise HifiError(f"{where}: {error}") from None
    _check_cells(parts, path)
    _check_rates(parts, path)
    return tuple(parts)


def _parts(values: dict[str, Any]) -> Iterator[SweepPart]:
    """One for each length of each axis, with and without a pair."""
    values = {"threads": usable_cores(), **values}
    if "backends" not in values:
        runnable = (name for name, each in backends().items() if lacking(each) is None)
        values["backends"] = tuple(runnable)
    precisions = values.pop("precision", ())
    check(values["backends"], precisions)
    values["backends"] = in_precisions(values["backends"], precisions)
    axes = _lengths(values)
    views, pairs = values.pop("outputs", "all"), values.pop("pair", (False,))
    for *lengths, pair in product(*axes.values(), pairs):
        sizes = dict(zip(axes, lengths, strict=True))
        yield SweepPart(**values, sizes=sizes, views=views_of(views, pair))


def _lengths(values: dict[str, Any]) -> dict[str, tuple[int, ...]]:
    """Lengths by axis out of the keys that say them; those of the batch stay among the keys.

    Raises:
        HifiError: an axis is there twice.
    """
    axes = dict(values.pop("axes", {}))
    for key, axis in ((SAMPLES, SAMPLES), ("batches", BATCH)):
        if key in values and axis in axes:
            raise HifiError(f"{key} and {axis} in axes: give one of the two")
    if BATCH in axes:
        values["batches"] = axes.pop(BATCH)
    samples = values.pop(SAMPLES, None)
    return axes if samples is None else {SAMPLES: samples, **axes}


def _text(path: Path) -> str:
    try:
        return read_text(path)
    except UnreadableError as error:
        raise HifiError(f"cannot read {path} ({error}): give a sweep's TOML file") from None


def _values(table: Mapping[str, object], path: Path, text: str, number: int) -> dict[str, Any]:
    values: dict[str, Any] = {}
    allowed = ", ".join((*KEYS, MATRIX))
    for name, value in table.items():
        where = f"{path}{_line(text, name, number)}"
        if name not in KEYS:
            raise HifiError(f"{where}: there is no key {name!r}: choose from {allowed}")
        try:
            values[name] = _beside(path.parent, name, KEYS[name].read(value))
        except ValueError:
            raise HifiError(f"{where}: {name} = {value!r:.60}: give {KEYS[name].allowed}") from None
        except HifiError as error:
            raise HifiError(f"{where}: {name}: {error}") from None
    return values


def _beside(folder: Path, name: str, value: Any) -> Any:
    """A key's value with every path in it relative to the file's folder."""
    if isinstance(value, Path):
        return folder / value
    if name == "inputs":
        return {key: folder / file for key, file in value.items()}
    if name == "precision":
        return tuple(_plan(folder, each) if each.endswith(PLAN) else each for each in value)
    if name == "variants":
        return tuple(dict.fromkeys(Variant.parse(_network(folder, each)) for each in value))
    if name == "backends":
        return tuple(_with_plans(folder, spec) for spec in value)
    return value


def _network(folder: Path, text: str) -> str:
    """A network as typed, the file of a user's module in that folder."""
    if not is_module(text):
        return text
    spec = parse_spec(text)
    return str(replace(spec, file=folder / spec.file))


def _with_plans(folder: Path, spec: str) -> str:
    """A backend as typed, its plans' files in that folder."""
    options = {option.name: option for option in find(spec)[0].options}
    name, told = parted(spec)
    return joined(
        name,
        [
            (key, value if value in options[key].allowed else _plan(folder, value))
            for key, value in told
        ],
    )


def _plan(folder: Path, file: str) -> str:
    found = str(folder / file)
    if "," in found:
        raise HifiError(f"{found} has a comma, which parts the options of a backend: rename it")
    return found


def _line(text: str, name: str, number: int) -> str:
    """Where a key of the ``number``-th table stands, 0 being the top, or "" if it is not plain."""
    here = 0
    for line, content in enumerate(text.splitlines(), 1):
        here += bool(HEADING.match(content))
        if here == number and re.match(
            rf"\s*\[*\s*[\"']?{re.escape(name)}[\"']?\s*[=.\]]", content
        ):
            return f", line {line}"
    return ""


def _check_cells(parts: list[SweepPart], path: Path) -> None:
    counts = Counter(cell for part in parts for cell in part.cells())
    (cell, count), *_ = counts.most_common(1)
    if count > 1:
        load = cell.workload
        what = f"{cell.backend} on {workload_name(load)}"
        raise HifiError(f"{path}: {what} is there {count} times: leave it in one {MATRIX}")


def _check_rates(parts: list[SweepPart], path: Path) -> None:
    """A report has one sample rate. The shipped clip is not read for it."""
    rates = {CLIP_RATE for part in parts if part.wav is None}
    for file in {part.wav for part in parts if part.wav}:
        try:
            rates.add(audio.read_wav(file).rate)
        except HifiError as error:
            raise HifiError(f"{path}: wav: {error}") from None
    if len(rates) > 1:
        told = " and ".join(map(str, sorted(rates)))
        raise HifiError(f"{path}: waveforms at {told} Hz: give a sweep for each rate")
