"""A report as JSON and back, losing nothing."""

from pathlib import Path

from pydantic import TypeAdapter, ValidationError
from pydantic_core import to_json

from bench import schema_1
from bench.records import SCHEMA, Report
from hifigan_ref.errors import HifiError
from hifigan_ref.text_file import UnreadableError, read_text

_REPORT = TypeAdapter(Report)


def dump(report: Report) -> bytes:
    """The whole record, raw samples included."""
    # JSON has no infinity, and an exact output has an SNR of one
    return to_json(report, indent=1, inf_nan_mode="strings") + b"\n"


def file_of(given: Path) -> Path:
    """A report's file: what ends in .json, else ``report.json`` in the --out folder given."""
    return given if given.suffix == ".json" else given / "report.json"


def load(path: Path) -> Report:
    """Read a report back.

    Raises:
        HifiError: missing, damaged, or of another schema.
    """
    try:
        content = read_text(path)
    except UnreadableError as error:
        raise HifiError(
            f"cannot read {path}: {error}: give the --out folder of an earlier run"
        ) from None
    try:
        report = _REPORT.validate_json(schema_1.upgraded(content, schema_1.of_report))
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or "the file"
        raise HifiError(
            f"{path} is no report of schema {SCHEMA} ({where}: {first['msg']}): run it again"
        ) from None
    if report.schema != SCHEMA:
        other = "a newer" if report.schema > SCHEMA else "an older"
        raise HifiError(
            f"{path} has schema {report.schema}, this version reads {SCHEMA}: use {other} version"
        )
    return report
