"""No number in the documentation that no committed command produced."""

import re
from pathlib import Path

import pytest

from bench import record_json
from bench.results.readme import fill
from export.lowering.plan import parse_plan
from export.lowering.rule import parse_form, rules
from export.precision.budget import GRAPH_PRECISIONS, PRECISIONS
from export.precision.plan import parse_plan as parse_precision_plan
from fakes import fake_tuning
from shown import fake_streaming

ROOT = Path(__file__).parent.parent
PRECISION = ROOT / "docs" / "precision.md"
LOWERINGS = ROOT / "docs" / "lowerings.md"
TUNED = "# A page\n\n<!-- tuning:ort-cpu -->\nold 1.23\n<!-- /tuning -->\n\nand more\n"


def test_the_readme_shows_the_committed_results() -> None:
    page = (ROOT / "README.md").read_text()
    assert fill(page, ROOT / "docs" / "results") == page
    assert page.count("| torch |") == 3 and "hifi-export onnx --out OUT" in page


def test_an_edited_number_is_found() -> None:
    page = (ROOT / "README.md").read_text()
    edited = page.replace("| torch | ", "| torch | 1", 1)
    assert edited != page
    assert fill(edited, ROOT / "docs" / "results") == page


def test_the_page_on_lowerings_shows_the_committed_tuning() -> None:
    page = LOWERINGS.read_text()
    assert fill(page, ROOT / "docs" / "results") == page
    assert page.count("<!-- tuning:ort-cpu -->") == 1


def test_the_page_on_precision_shows_the_committed_search_and_times() -> None:
    page = PRECISION.read_text()
    assert fill(page, ROOT / "docs" / "results") == page
    blocks = re.findall(r"^<!-- ([\w:-]+) -->$", page, re.MULTILINE)
    assert blocks == [
        "results:precision-amx",
        "mixed:openvino-bf16-amx",
        "results:precision",
    ]
    edited = page.replace("| all | ", "| all | 1", 1)
    assert edited != page and fill(edited, ROOT / "docs" / "results") == page


def test_a_tuning_that_is_not_there_is_told_with_its_command(tmp_path: Path) -> None:
    page = fill(TUNED, tmp_path)
    assert "old 1.23" not in page
    told = "Not measured yet: `hifi-bench tune --backend ort-cpu --out docs/results/tune/ort-cpu`"
    assert told in page
    assert page.startswith("# A page") and page.endswith("and more\n")
    assert fill(page, tmp_path) == page


@pytest.mark.parametrize(
    ("block", "told"),
    [
        ("results:cpu", "`hifi-bench` with `--out docs/results/cpu`, or the target of make"),
        ("mixed:openvino-amx", "`make precision-cpu`, or `hifi-export onnx --precision mixed`"),
        ("streaming:voice", "`make bench-stream`, or `hifi-bench stream` with `--out docs/results"),
    ],
)
@pytest.mark.parametrize("begun", [False, True])
def test_results_that_are_not_there_are_told_with_their_command(
    tmp_path: Path, block: str, told: str, begun: bool
) -> None:
    if begun:
        (tmp_path / "cpu").mkdir()
        (tmp_path / "mixed" / "openvino-amx").mkdir(parents=True)
    page = fill(f"<!-- {block} -->\n1.23\n<!-- /{block.partition(':')[0]} -->\n", tmp_path)
    assert f"Not measured yet: {told}" in page and "1.23" not in page
    assert fill(page, tmp_path) == page


def test_a_tuning_becomes_its_tables(tmp_path: Path) -> None:
    place = tmp_path / "tune" / "ort-cpu" / "tune.json"
    place.parent.mkdir(parents=True)
    place.write_bytes(record_json.dump(fake_tuning()))
    page = fill(TUNED, tmp_path)
    rows = [line for line in page.splitlines() if line.startswith("| mpd_11")]
    problem = "8 -> 8, 5 taps on 2 x 8 x 32 x 11"
    assert rows == [
        f"| mpd_11.convs.4 | {problem} | 40.00 | columns | 10.00 | 4.00x | columns |",
        f"| mpd_11.conv_post | {problem} | 2.00 | columns | 1.00 | 2.00x | plain |",
    ]
    assert "| tuned | 100.00 | 4.00x (4.00 to 4.00) | 2.00x (2.00 to 2.00) | 120.0 |" in page
    assert "- ort-cpu in fp32, 2 x 11025, outputs: all, threads: 1" in page
    assert "- A CPU, 2 cores" in page and "- hifi-export 0, 2026-01-02" in page
    assert fill(page, tmp_path) == page
    assert fill(page.replace("4.00x", "5.00x"), tmp_path) == page


def test_what_chunks_cost_becomes_its_tables(tmp_path: Path) -> None:
    place = tmp_path / "streaming" / "voice" / "stream.json"
    place.parent.mkdir(parents=True)
    place.write_bytes(record_json.dump(fake_streaming()))
    page = fill("<!-- streaming:voice -->\n<!-- /streaming -->\n", tmp_path)
    assert "| state, 4 | 600.00 | 400.00 | 200.00 | 0.500 | 0 | 200.00 | 200.00 | 0.0 | 1 |" in page
    assert fill(page, tmp_path) == page


def test_the_page_on_streaming_shows_the_committed_streams() -> None:
    page = (ROOT / "docs" / "streaming.md").read_text()
    assert fill(page, ROOT / "docs" / "results") == page
    assert page.count("<!-- streaming:") == 2


def test_every_rewrite_is_told() -> None:
    page = LOWERINGS.read_text()
    assert {name.partition("-")[0] for name in rules()} <= set(
        re.findall(r"^## (\w+)$", page, re.MULTILINE)
    )
    for name in rules():
        family, *sizes = name.split("-")
        told = f"({', '.join(sizes)})" if family == "fir" else f"`{name}`" if sizes else name
        assert told in page, name


FORMS = re.findall(r"`((?:[a-z-]+[\d-]*\+)+[a-z\d-]+)`", LOWERINGS.read_text())


@pytest.mark.parametrize("text", sorted(set(FORMS)))
def test_a_form_of_the_page_exists(text: str) -> None:
    assert len(parse_form(text)) > 1


def test_the_plan_of_the_page_is_a_plan() -> None:
    (plan,) = re.findall(r"```json\n(.*?)```", LOWERINGS.read_text(), re.DOTALL)
    assert len(parse_plan(plan, "the page").layers) == 3


def test_the_precision_plan_of_the_page_is_a_plan() -> None:
    page = (ROOT / "docs" / "precision.md").read_text()
    (plan,) = re.findall(r"```json\n(.*?)```", page, re.DOTALL)
    assert parse_precision_plan(plan, "the page").name == "mixed"


def test_the_page_on_precision_tells_every_budget_and_opset() -> None:
    page = (ROOT / "docs" / "precision.md").read_text()
    for precision in GRAPH_PRECISIONS:
        own = PRECISIONS[precision]
        row = rf"\| `{precision}` \|.*\| {own.opset} \| {own.budget_db:g} \|"
        assert re.search(row, page), precision
