"""Records as JSON and back, losing nothing; those of older schemas are read as of today."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError
from pydantic_core import to_json

from bench import schema_1
from bench.mixing_record import SCHEMA as MIXING_SCHEMA
from bench.mixing_record import Mixing
from bench.parity.report import ParityReport
from bench.records import SCHEMA, Report
from bench.streaming_record import SCHEMA as STREAMING_SCHEMA
from bench.streaming_record import Streaming
from bench.tuning_record import SCHEMA as TUNING_SCHEMA
from bench.tuning_record import Tuning
from hifigan_ref.errors import HifiError
from hifigan_ref.text_file import UnreadableError, read_text

Record = TypeVar("Record", Report, Tuning, Mixing, Streaming)
_ADAPTERS: Mapping[type, TypeAdapter[Any]] = {
    kind: TypeAdapter(kind) for kind in (Report, Tuning, Mixing, Streaming)
}
_PARITIES = TypeAdapter(tuple[ParityReport, ...])


def dump(record: object) -> bytes:
    """The whole record, raw samples included; what is not finite is a text."""
    # JSON has no infinity, and an exact output has an SNR of one
    return to_json(record, indent=1, inf_nan_mode="strings") + b"\n"


def file_of(given: Path) -> Path:
    """A report's file: what ends in .json, else ``report.json`` in the --out folder given."""
    return given if given.suffix == ".json" else given / "report.json"


def report_at(path: Path) -> Report:
    """Read a report back; raises HifiError where it is missing, damaged, or of another schema."""
    return _read(path, Report, SCHEMA, schema_1.of_report, "no report", "run it again")


def tuning_at(path: Path) -> Tuning:
    """Read what a tuner found; raises HifiError as ``report_at``."""
    return _read(path, Tuning, TUNING_SCHEMA, schema_1.of_search, "no tuning", "tune again")


def mixing_at(path: Path) -> Mixing:
    """Read what a search for precisions found; raises HifiError as ``report_at``."""
    return _read(path, Mixing, MIXING_SCHEMA, schema_1.of_search, "no search", "search again")


def streaming_at(path: Path) -> Streaming:
    """Read what chunks cost; raises HifiError as ``report_at``."""
    return _read(path, Streaming, STREAMING_SCHEMA, lambda _: None, "no stream", "measure again")


def parities_of(content: bytes) -> tuple[ParityReport, ...]:
    """Read parity reports; raises ValueError for anything else."""
    return _PARITIES.validate_json(schema_1.upgraded(content, schema_1.of_parity))


def _read(
    path: Path,
    kind: type[Record],
    schema: int,
    upgrade: Callable[[schema_1.Record], None],
    none: str,
    again: str,
) -> Record:
    try:
        content = read_text(path)
    except UnreadableError as error:
        raise HifiError(
            f"cannot read {path}: {error}: give the --out folder of an earlier run"
        ) from None
    try:
        record: Record = _ADAPTERS[kind].validate_json(schema_1.upgraded(content, upgrade))
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or "the file"
        raise HifiError(
            f"{path} is {none} of schema {schema} ({where}: {first['msg']}): {again}"
        ) from None
    if record.schema != schema:
        other = "a newer" if record.schema > schema else "an older"
        raise HifiError(
            f"{path} has schema {record.schema}, this version reads {schema}: use {other} version"
        )
    return record
