"""The JSON schema of a report, written by the records themselves.

Run as ``python -m bench.schema docs/report.schema.json``.
"""

import json
import sys
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema

from bench.records import SCHEMA, Report
from export import atomic

DIALECT = GenerateJsonSchema.schema_dialect
NOT_FINITE = ["Infinity", "-Infinity", "NaN"]


class _AsWritten(GenerateJsonSchema):
    """Numbers as ``as_json`` writes them: JSON has no infinity, so it is a text there."""

    def float_schema(self, schema: core_schema.FloatSchema) -> JsonSchemaValue:
        return {"anyOf": [super().float_schema(schema), {"enum": NOT_FINITE}]}


def schema() -> dict[str, Any]:
    """Of the newest version; fields that older reports lack are not required."""
    found = TypeAdapter(Report).json_schema(schema_generator=_AsWritten)
    found["properties"]["schema"]["const"] = SCHEMA
    return {"$schema": DIALECT, **found, "title": f"hifi-bench report, schema {SCHEMA}"}


def dump() -> bytes:
    """The schema as a file."""
    return json.dumps(schema(), indent=1, ensure_ascii=False).encode() + b"\n"


def main(path: Path) -> None:
    """Write one file."""
    atomic.write(path, dump())


if __name__ == "__main__":
    main(Path(sys.argv[1]))
