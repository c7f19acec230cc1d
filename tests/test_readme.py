"""No number in the documentation that no committed command produced."""

from pathlib import Path

from bench.readme import fill

ROOT = Path(__file__).parent.parent


def test_the_readme_shows_the_committed_results() -> None:
    page = (ROOT / "README.md").read_text()
    assert fill(page, ROOT / "docs" / "results") == page
    assert page.count("| torch |") == 2 and "hifi-export onnx --out OUT" in page


def test_an_edited_number_is_found() -> None:
    page = (ROOT / "README.md").read_text()
    edited = page.replace("| torch | ", "| torch | 1", 1)
    assert edited != page
    assert fill(edited, ROOT / "docs" / "results") == page
