"""The schema in docs/ is the one of the records; reports fit it, and old ones keep opening."""

import json
from dataclasses import replace
from html import unescape
from math import inf, nan
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

import cli
from bench.records import (
    SCHEMA,
    Claim,
    GpuMoment,
    Measurement,
    OutputParity,
    Parity,
    Report,
    Skipped,
)
from bench.render import as_json
from bench.render.views import views
from bench.schema import dump, main, schema
from bench.testing import fake_report, fake_result

ROOT = Path(cli.__file__).parent
COMMITTED = ROOT / "docs" / "report.schema.json"
OLD = ROOT / "tests" / "data" / "report-1.json"


def errors(report: object) -> list[str]:
    return [error.message for error in Draft202012Validator(schema()).iter_errors(report)]


def written(report: Report) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(as_json.dump(report))
    return content


def test_the_committed_file_is_what_the_command_writes(tmp_path: Path) -> None:
    main(tmp_path / "schema.json")
    told = "run python -m bench.schema docs/report.schema.json"
    assert (tmp_path / "schema.json").read_bytes() == dump() == COMMITTED.read_bytes(), told


def test_the_schema_is_one_and_says_its_version() -> None:
    Draft202012Validator.check_schema(schema())
    assert schema()["title"] == f"hifi-bench report, schema {SCHEMA}"
    assert '"$id"' not in COMMITTED.read_text()


def test_a_report_fits() -> None:
    hole = Skipped("no runtime")
    odd = Parity(100.0, (OutputParity("score", -inf, nan, nan, nan, inf, (1,)),))
    proof = (Claim("device", "GPU", "CPU", holds=False),)
    held = GpuMoment(1980, 2619, ("software power cap",), 310.5, 51, 2)
    device = Measurement((0.5,), 0.0, 0, warm=True, converged=True, clock="device", gpu=(held,))
    on_gpu = replace(fake_result("trt"), device=device)
    results = (fake_result(), on_gpu, replace(fake_result("x", hole, odd), proof=proof))
    assert errors(written(fake_report(*results))) == []


@pytest.mark.parametrize(
    ("key", "value"), [("schema", SCHEMA + 1), ("results", {}), ("sample_rate", "fast")]
)
def test_another_file_does_not_fit(key: str, value: object) -> None:
    content = written(fake_report(fake_result()))
    assert errors({**content, key: value})
    del content[key]
    assert errors(content)


def test_a_text_that_is_no_number_does_not_fit() -> None:
    content = written(fake_report(fake_result()))
    content["results"][0]["parity"]["outputs"][0]["snr_db"] = "high"
    assert errors(content)


def test_an_old_report_fits() -> None:
    assert errors(json.loads(OLD.read_text())) == []


def test_an_old_report_opens_in_every_view() -> None:
    report = as_json.load(OLD)
    assert [r.backend for r in report.results].count("torch-compile") == 2
    for name, content in views(report).items():
        page = unescape(content.decode())
        for text in ("torch-folded", "ort-cpu", "unconverged" if "json" not in name else "fp32"):
            assert text in page, name
