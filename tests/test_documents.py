"""Every view in every format: one document, the same facts in each, and no text is lost."""

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from html.parser import HTMLParser
from io import StringIO
from itertools import pairwise
from pathlib import Path

import pytest
from rich.console import Console

from bench import record_json
from bench.hole import Skipped
from bench.render.document import Column, Document, Section, Table, Verdict, ms
from bench.render.formats import csv_lines, html_page, terminal
from bench.render.formats.html_page import is_number
from bench.render.saved import files, save
from fakes import fake_report
from hifigan_ref.errors import HifiError
from shown import DOCUMENTS, FORMATS, RECORDS, html, markdown, printed

EVIL = "<script>alert(1)</script><b>x</b> & %{y} \"' [bold]x[/bold] [/] [[1]] :warning: a_b*c*"
PAGES = {"markdown": markdown, "html": html}
Format = Callable[[Document], str]

every_document = pytest.mark.parametrize("document", DOCUMENTS.values(), ids=DOCUMENTS.keys())
every_format = pytest.mark.parametrize("shown", FORMATS.values(), ids=FORMATS.keys())
every_page = pytest.mark.parametrize("shown", PAGES.values(), ids=PAGES.keys())


def texts(tables: tuple[Table, ...]) -> Iterator[str]:
    for table in tables:
        header = table.header if table.about else ()
        yield from (table.title, *header, *table.notes, *sum(table.rows, ()))


def words(text: str) -> str:
    """On one line, as Markdown writes a bar in a cell."""
    return " ".join(text.replace("|", "/").split())


def one_table(*cells: object, **changes: object) -> Document:
    columns = (Column("name", lambda row: row[0]), Column("value", lambda row: row[1]))
    table = Table("A table", columns, (cells,))
    made = Document("A title", ("a fact",), (table,), (Section("All", tables=(table,)),))
    return replace(made, **changes)  # type: ignore[arg-type]


def under(document: Document) -> Document:
    """With sections, as a page needs them."""
    return replace(document, sections=document.sections or (Section("S", tables=document.summary),))


# Every format


@every_document
@every_format
def test_all_that_is_told_in_short_is_told_in_every_format(
    document: Document, shown: Format
) -> None:
    page = words(shown(under(document)))
    for text in (*document.facts, *document.warnings, *texts(document.summary)):
        assert words(text) in page


@every_document
@every_page
def test_a_page_holds_every_section(document: Document, shown: Format) -> None:
    page = words(shown(document))
    for section in document.sections:
        tables = (*section.tables, *section.folded)
        notes = [section.title, *section.notes] if tables or section.notes else []
        for text in (*notes, *texts(tables), *(verdict.text for verdict in document.verdicts)):
            assert words(text) in page


@every_format
def test_any_text_is_text(shown: Format) -> None:
    told = one_table(f"cell {EVIL}", f"value {EVIL}", facts=(f"fact {EVIL}",), warnings=(EVIL,))
    (table,) = told.summary
    odd = replace(table, title=f"title {EVIL}", notes=(f"note {EVIL}",))
    page = words(shown(replace(told, summary=(odd,), sections=(Section("All", tables=(odd,)),))))
    for text in ("cell", "value", "fact", "title", "note"):
        assert f"{text} {words(EVIL)}" in page


@every_document
@every_format
def test_a_warning_comes_first(document: Document, shown: Format) -> None:
    document = under(document)
    assert "the machine was busy" not in shown(document)
    page = shown(replace(document, warnings=("the machine was busy",)))
    assert page.count("the machine was busy") == 1
    before = page.partition("the machine was busy")[0]
    facts = (*document.facts, *(verdict.text for verdict in document.verdicts))
    assert all(text not in before for text in (*facts, document.summary[0].title))


@every_document
@every_format
def test_nothing_to_tell_can_be_shown(document: Document, shown: Format) -> None:
    empty = (replace(table, about=()) for table in document.summary)
    assert shown(replace(document, summary=tuple(empty), sections=(), facts=()))


# The terminal


@every_document
@pytest.mark.parametrize("width", [40, 60, 80, 120])
def test_no_number_is_cut_in_a_narrow_terminal(document: Document, width: int) -> None:
    """Names fold and columns are left out instead, which is told."""
    page = printed(document, width)
    assert "…" not in page and max(map(len, page.splitlines())) <= width
    wide = {part for table in document.summary for row in table.rows for part in row[1:2]}
    flat = "".join(page.split())
    assert all("".join(part.split()) in flat or "too narrow for: " in page for part in wide)


def test_names_fold_then_columns_go_in_their_order_then_from_the_right() -> None:
    columns = (
        Column("name", lambda _: "openvino:precision=docs/results/precision.json"),
        ms("ms", lambda _: 1.6125),
        Column("rest", lambda _: "columns+" * 3),
        Column("first", lambda _: "x" * 9, spare=1),
        Column("second", lambda _: "y" * 9, spare=2),
    )
    document = one_table(summary=(Table("T", columns, (0,)),), facts=())
    order, counts = ["first", "second", "rest"], []
    for width in range(130, 23, -1):
        page = printed(document, width)
        left = page.partition("too narrow for: ")[2].replace("\n", " ").split(", ")
        left = [name.strip() for name in left if name.strip()]
        assert left == order[: len(left)] and "1612.50" in page
        assert (columns[0].value(0) in page) >= (width == 130)
        counts.append(len(left))
    assert counts == sorted(counts) and set(counts) == {0, 1, 2, 3}


def test_a_pipe_has_no_colours_and_a_terminal_shows_what_is_bad() -> None:
    document = one_table("a", 1, verdicts=(Verdict("it fails", good=False),))
    assert "\x1b" not in printed(document)
    page = StringIO()
    terminal.show(document, Console(file=page, force_terminal=True, color_system="standard"))
    assert "\x1b[1;31mit fails" in page.getvalue()
    assert b'<li class="bad">it fails' in html_page.dump(document)


# Pages


@every_document
def test_markdown_tables_are_rectangular(document: Document) -> None:
    tables = re.findall(r"(?:^\|.*\n)+", markdown(under(document)), re.MULTILINE)
    for table in tables:
        header, rule, *rows = table.splitlines()
        assert rows and set(rule) <= set("|:- ")
        assert len({line.count("|") for line in (header, rule, *rows)}) == 1
    assert tables or not document.sections


def test_headings_of_markdown() -> None:
    lines = markdown(one_table("a", 1)).splitlines()
    headings = [line for line in lines if line.startswith("#")]
    assert headings == ["# A title", "## All", "### A table"]
    assert "| a | 1 |" in lines and lines[-1] != ""


class Elements(HTMLParser):
    """What a browser would see."""

    def __init__(self, document: Document) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(html_page.dump(document).decode())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))

    def named(self, name: str) -> list[dict[str, str | None]]:
        return [attrs for tag, attrs in self.found if tag == name]


@every_document
def test_html_is_one_file_that_asks_for_nothing_and_is_in_order(document: Document) -> None:
    page = Elements(replace(document, facts=(EVIL, *document.facts)))
    for tag, attrs in page.found:
        assert "src" not in attrs, tag
        assert (attrs.get("href") or "#").startswith(("#", "data:"))
    (policy,) = [m["content"] for m in page.named("meta") if "http-equiv" in m]
    assert policy and policy.startswith("default-src 'none'")
    charts = sum(len(section.charts) for section in document.sections)
    assert len(page.named("script")) == charts + 2, "the charts, plotly and what draws them"
    assert not page.named("b")
    levels = [int(tag[1]) for tag, _ in page.found if re.fullmatch(r"h\d", tag)]
    assert levels[0] == 1 and levels.count(1) == 1
    assert all(below <= above + 1 for above, below in pairwise(levels))
    places = [attrs for attrs in page.named("div") if attrs.get("class") == "scroll"]
    assert len(places) == len(page.named("table")) == len(page.named("caption"))
    assert all(attrs["tabindex"] == "0" and attrs["aria-label"] for attrs in places)
    anchors = {f"#{attrs['id']}" for attrs in page.named("section")}
    assert {attrs["href"] for attrs in page.named("a")} == anchors


@pytest.mark.parametrize(
    ("value", "number"),
    [(1.5, True), (3, True), (None, True), (Skipped("why"), True), ("2 x 8", False), (True, False)],
)
def test_numbers_stand_on_the_right(value: object, number: bool) -> None:
    assert is_number(value) == number
    page = html_page.dump(one_table("a", value))
    assert (b'<td class="number">' in page) == number


# Cells


def test_a_cell_is_written_in_the_unit_of_its_heading() -> None:
    times = ms("ms", lambda row: row)
    assert (times.text(0.0125), times.text(None), times.text("why")) == ("12.50", "-", "why")
    few = Column("p99", lambda row: row, "{:.1f}", missing="too few")
    assert (few.text(Skipped("7 of 8")), few.text(float("inf"))) == ("too few", "inf")


def test_csv_is_raw_by_the_rfc() -> None:
    columns = (Column("a", lambda row: row[0], "{:.0f}", 1e3), Column("b", lambda row: row[1]))
    rows = ((1 / 3, True), (Skipped("gone"), 'no "runtime", here'))
    page = csv_lines.dump(one_table("a", 1, flat=Table("", columns, rows))).decode()
    assert page == 'a,b\r\n0.3333333333333333,true\r\n,"no ""runtime"", here"\r\n'
    assert csv_lines.dump(one_table("a", 1)) == b""


# Files


@pytest.mark.parametrize("name", RECORDS)
def test_files_and_what_is_said_of_them(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    document, record = DOCUMENTS[name], RECORDS[name]
    endings = ["html", "md", *(["csv"] if name == "report" else []), "json"]
    told = save(document, record, tmp_path, name)
    assert {path.name for path in tmp_path.iterdir()} == {f"{name}.{end}" for end in endings}
    assert told.startswith(f"report: {tmp_path / name}.html; beside it .md") and "json" in told
    assert words(document.summary[0].title) in words(capsys.readouterr().out)
    made = files(document, record)
    assert list(made) == endings and made == files(document, record), "always the same bytes"
    again = save(document, record, tmp_path, name, as_json=True)
    assert capsys.readouterr().out == "" and json.loads(again) == json.loads(made["json"])


READ = {
    "report": (record_json.report_at, "is no report of schema 2"),
    "tune": (record_json.tuning_at, "is no tuning of schema 2 .*: tune again"),
    "mixed": (record_json.mixing_at, "is no search of schema 2 .*: search again"),
    "stream": (record_json.streaming_at, "is no stream of schema 2 .*: measure again"),
}


@pytest.mark.parametrize("name", READ)
def test_a_record_comes_back_and_what_is_none_is_refused(name: str, tmp_path: Path) -> None:
    read, told = READ[name]
    path = tmp_path / f"{name}.json"
    with pytest.raises(HifiError, match=f"cannot read .*{name}.json"):
        read(path)
    content = record_json.dump(RECORDS[name])
    path.write_bytes(content)
    assert read(path) == RECORDS[name]
    for wrong in (b"", b"{}", content[:-40]):
        path.write_bytes(wrong)
        with pytest.raises(HifiError, match=told):
            read(path)
    path.write_bytes(content.replace(b'"schema": 2', b'"schema": 3', 1))
    with pytest.raises(HifiError, match="has schema 3, this version reads 2: use a newer version"):
        read(path)


def test_parity_reports_come_back() -> None:
    assert record_json.parities_of(record_json.dump(RECORDS["parity"])) == RECORDS["parity"]
    with pytest.raises(ValueError, match="parity|valid"):
        record_json.parities_of(record_json.dump(fake_report()))
