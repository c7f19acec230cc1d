"""The schemas in docs/ are those of the records; reports fit them, and old ones keep opening."""

import json
from collections.abc import Callable
from dataclasses import replace
from html import unescape
from math import inf, nan
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

import cli
from bench import record_json, schema_1
from bench.parity.report import SCHEMA as PARITY_SCHEMA
from bench.parity.report import Change, Element, OutputCase, ParityCase, ParityReport
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
from bench.render.saved import files
from bench.render.views.report import document
from bench.results.schema import SCHEMAS, dump, main, of_parity, of_report
from fakes import PARITY, fake_report, fake_result

ROOT = Path(cli.__file__).parent
DOCS = ROOT / "docs"
OLD = ROOT / "tests" / "data" / "report-1.json"


def errors(report: object, schema: Callable[[], dict[str, Any]] = of_report) -> list[str]:
    return [error.message for error in Draft202012Validator(schema()).iter_errors(report)]


def written(report: Report) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(record_json.dump(report))
    return content


@pytest.mark.parametrize("name", SCHEMAS)
def test_the_committed_file_is_what_the_command_writes(tmp_path: Path, name: str) -> None:
    main(tmp_path)
    told = "run make schema"
    assert (tmp_path / name).read_bytes() == dump()[name] == (DOCS / name).read_bytes(), told


@pytest.mark.parametrize(
    ("name", "title"),
    [
        ("report.schema.json", f"hifi-bench report, schema {SCHEMA}"),
        ("parity.schema.json", f"hifi-bench parity, schema {PARITY_SCHEMA}"),
    ],
)
def test_the_schema_is_one_and_says_its_version(name: str, title: str) -> None:
    schema = SCHEMAS[name]()
    Draft202012Validator.check_schema(schema)
    assert schema["title"] == title
    assert '"$id"' not in (DOCS / name).read_text()


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


def parity_report(*cases: ParityCase) -> list[dict[str, Any]]:
    made = ParityReport(PARITY_SCHEMA, "x", "mpd-11", "f", "", "", "", "", {}, 100.0, cases)
    content: list[dict[str, Any]] = json.loads(record_json.dump([made]))
    return content


def test_a_parity_report_fits_with_what_is_not_finite_and_with_holes() -> None:
    hole = Skipped("onnxruntime cannot run the file")
    wrong = OutputCase(OutputParity("score", -inf, nan, nan, nan, inf, (1,)), Skipped("missing"))
    worst = OutputCase(PARITY.outputs[0], Element((0, 3), 1.5, nan))
    change = Change("score", 1.0, inf, 1.0, 0.0)
    whole = ParityCase({"batch": 2, "samples": 1024}, (wrong, worst), (change,))
    content = parity_report(whole, ParityCase({"batch": 1, "samples": 6}, hole, hole))
    assert errors(content, of_parity) == []
    assert errors(content), "it is no report of a run"
    for key, value in (("schema", PARITY_SCHEMA + 1), ("cases", {}), ("budget_db", "high")):
        assert errors([{**content[0], key: value}], of_parity)
    del content[0]["budget_db"]
    assert errors(content, of_parity)


def test_a_text_that_is_no_number_does_not_fit() -> None:
    content = written(fake_report(fake_result()))
    content["results"][0]["parity"]["outputs"][0]["snr_db"] = "high"
    assert errors(content)


def test_an_old_report_fits() -> None:
    assert errors(json.loads(schema_1.upgraded(OLD.read_text(), schema_1.of_report))) == []


def test_an_old_report_opens_in_every_view() -> None:
    report = record_json.report_at(OLD)
    assert [r.backend for r in report.results].count("torch-compile") == 2
    for name, content in files(document(report), report).items():
        page = unescape(content.decode())
        for text in ("torch-folded", "ort-cpu", "unconverged" if "json" not in name else "fp32"):
            assert text in page, name
