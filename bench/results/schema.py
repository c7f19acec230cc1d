"""The JSON schemas of report.json and parity.json, written by the records themselves.

Run as ``python -m bench.results.schema docs``.
"""

import json
import sys
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema

from bench import records
from bench.parity import report as parity_report
from export import atomic

DIALECT = GenerateJsonSchema.schema_dialect
NOT_FINITE = ["Infinity", "-Infinity", "NaN"]


class _AsWritten(GenerateJsonSchema):
    """Numbers as the views write them: JSON has no infinity, so it is a text there."""

    def float_schema(self, schema: core_schema.FloatSchema) -> JsonSchemaValue:
        return {"anyOf": [super().float_schema(schema), {"enum": NOT_FINITE}]}


def of_report() -> dict[str, Any]:
    """Of the newest version; fields that older reports lack are not required."""
    found = TypeAdapter(records.Report).json_schema(schema_generator=_AsWritten)
    found["properties"]["schema"]["const"] = records.SCHEMA
    return {"$schema": DIALECT, **found, "title": f"hifi-bench report, schema {records.SCHEMA}"}


def of_parity() -> dict[str, Any]:
    """Of a list of parity reports, likewise."""
    reports = TypeAdapter(tuple[parity_report.ParityReport, ...])
    found = reports.json_schema(schema_generator=_AsWritten)
    number = parity_report.SCHEMA
    found["$defs"]["ParityReport"]["properties"]["schema"]["const"] = number
    return {"$schema": DIALECT, **found, "title": f"hifi-bench parity, schema {number}"}


SCHEMAS = {"report.schema.json": of_report, "parity.schema.json": of_parity}


def dump() -> dict[str, bytes]:
    """Every schema as a file."""
    return {
        name: json.dumps(schema(), indent=1, ensure_ascii=False).encode() + b"\n"
        for name, schema in SCHEMAS.items()
    }


def main(folder: Path) -> None:
    """Write every file."""
    atomic.write_all({folder / name: content for name, content in dump().items()})


if __name__ == "__main__":
    main(Path(sys.argv[1]))
