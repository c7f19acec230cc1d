"""A document in every format: in its folder, and in the terminal."""

from collections.abc import Callable, Mapping
from pathlib import Path

from bench import record_json
from bench.render.document import Document
from bench.render.formats import csv_lines, html_page, markdown_page, terminal
from export import atomic
from export.optional import why_missing

# The one to open comes first.
FORMATS: Mapping[str, Callable[[Document], bytes]] = {
    "html": html_page.dump,
    "md": markdown_page.dump,
    "csv": csv_lines.dump,
}


def files(document: Document, record: object, html: bool = True) -> dict[str, bytes]:
    """Content by the ending of its file: every format that the document fills, and the record.

    Args:
        document: what is shown.
        record: what it is of.
        html: whether the page is drawn too.
    """
    wanted = {"html": html, "csv": document.flat is not None}
    made = {end: dump(document) for end, dump in FORMATS.items() if wanted.get(end, True)}
    return {**made, "json": record_json.dump(record)}


def save(document: Document, record: object, folder: Path, name: str, as_json: bool = False) -> str:
    """Write every file; print the summary and say where they are, or give the JSON alone."""
    made = files(document, record)
    atomic.write_all({folder / f"{name}.{end}": content for end, content in made.items()})
    if as_json:
        return made["json"].decode().rstrip()
    terminal.show(document)
    first, *others, last = made
    beside = f"{', '.join(f'.{end}' for end in others)} and .{last}"
    return f"report: {folder / f'{name}.{first}'}; beside it {beside}"


def why_no_html() -> str | None:
    """What draws the page and is missing here, where only a runtime may be installed."""
    libraries = ("jinja2", "plotly")
    return next(
        filter(None, (why_missing(each, f"pip install {each}") for each in libraries)), None
    )
