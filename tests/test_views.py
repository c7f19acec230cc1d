"""One record, many views: what none of them may lose."""

import csv
import json
from collections.abc import Callable
from dataclasses import replace
from html import unescape
from io import StringIO

import pytest
from rich.console import Console

from bench.records import Claim, Parity, Report, Result, Skipped
from bench.render import as_csv, as_html, as_json, as_markdown
from bench.render.as_table import print_table
from bench.render.views import views
from fakes import PARITY, WORKLOAD, fake_report, fake_result


def table(report: Report) -> str:
    page = StringIO()
    print_table(report, Console(file=page, width=200, force_terminal=False))
    return page.getvalue()


def html(report: Report) -> str:
    """Without what draws the charts, which holds any short text."""
    page = as_html.dump(report).decode()
    return unescape(page.partition("<main>")[2].partition("</main>")[0])


def lines_of_csv(report: Report) -> str:
    lines = csv.reader(StringIO(as_csv.dump(report).decode(), newline=""))
    return "\n".join(" ".join(line) for line in lines)


def json_text(report: Report) -> str:
    return json.dumps(json.loads(as_json.dump(report)), ensure_ascii=False)


VIEWS: dict[str, Callable[[Report], str]] = {
    "table": table,
    "markdown": as_markdown.markdown,
    "html": html,
    "csv": lines_of_csv,
    "json": json_text,
}
every_view = pytest.mark.parametrize("view", VIEWS.values(), ids=VIEWS.keys())


def with_worst(backend: str, snr_db: float) -> Result:
    parity = replace(PARITY, outputs=(*PARITY.outputs, replace(PARITY.outputs[0], snr_db=snr_db)))
    return fake_result(backend, parity=parity)


HOLE = Skipped("needs TensorRT: pip install 'hifi-export[trt]'")
FAILED = Skipped("parity failed: score has an SNR of 61.5 dB, the budget is 100 dB")
INVALID = Skipped("INVALID: device: asked GPU, found CPU")
PROOF = (Claim("device", "GPU", "CPU", holds=False),)
REPORT = fake_report(
    with_worst("torch:norms=folded", 113.5),
    fake_result("trt", HOLE, HOLE),
    replace(with_worst("ort-cpu", 61.5), measurement=FAILED),
    replace(
        fake_result("ort-cuda", INVALID),
        proof=PROOF,
        workload=replace(WORKLOAD, sizes={**WORKLOAD.sizes, "batch": 16}),
    ),
    notes=("x.wav is at 16000 Hz",),
)


@every_view
def test_every_backend_is_named(view: Callable[[Report], str]) -> None:
    page = view(REPORT)
    assert all(result.backend in page for result in REPORT.results)


@every_view
def test_every_reason_is_told(view: Callable[[Report], str]) -> None:
    page = " ".join(view(REPORT).split())
    for result in REPORT.results:
        if isinstance(result.measurement, Skipped):
            assert result.measurement.reason in page


@every_view
def test_the_worst_output_of_every_row_is_told(view: Callable[[Report], str]) -> None:
    page = view(REPORT)
    for result in REPORT.results:
        if isinstance(result.parity, Parity):
            assert f"{result.parity.worst.snr_db:.1f}" in page


@pytest.mark.parametrize("view", [as_markdown.markdown, html, json_text])
def test_every_claim_is_told(view: Callable[[Report], str]) -> None:
    proof = (Claim("providers", "CUDA", "CPU, some of it", holds=False),)
    page = view(fake_report(replace(fake_result("x", INVALID), proof=proof)))
    for text in ("providers", "CUDA", proof[0].found):
        assert text in page


def test_the_files_are_these() -> None:
    made = views(REPORT)
    assert list(made) == ["report.html", "report.md", "report.csv", "report.json"]
    assert made["report.json"] == as_json.dump(REPORT)
    assert made == views(REPORT), "the same record makes the same bytes"
