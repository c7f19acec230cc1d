"""A document in the terminal: as wide as that is, and no number is ever cut."""

from collections.abc import Iterable, Iterator

from rich import box
from rich.console import Console
from rich.measure import Measurement
from rich.table import Table as RichTable
from rich.text import Text

from bench.render.document import Column, Document, Table

LEAST_NAME = 8


def show(document: Document, console: Console | None = None) -> None:
    """Print warnings, the summary, facts and verdicts, on standard output unless told otherwise."""
    console = console or Console()
    for line in document.warnings:
        console.print(Text(line, style="bold red"))
        console.print()
    for table in document.summary:
        _draw(table, console)
    for line in document.facts:
        console.print(Text(line, style="dim"))
    for verdict in document.verdicts:
        console.print(Text(verdict.text, style="bold" if verdict.good else "bold red"))


def _draw(table: Table, console: Console) -> None:
    """The table, which columns it is too narrow for, and its notes.

    Names fold into half of the width, then columns are left out, then names take what is left.
    """
    half = console.width // 2
    for left_out, narrow in _narrower(table.columns, half):
        if _width(_rich(table, left_out, narrow), console) <= console.width:
            break
    # rich takes from the column that may fold alone
    console.print(_rich(table, left_out, narrow and half))
    told = [f"too narrow for: {', '.join(left_out)}"] if left_out else []
    for line in (*told, *table.notes):
        console.print(Text(f"  {line}", style="yellow"))
    console.print()


def _narrower(columns: Iterable[Column], half: int) -> Iterator[tuple[list[str], int | None]]:
    """Columns to leave out, and how wide the names may be, if that is limited."""
    _, _, *others = columns
    spare = sorted((each for each in others if each.spare), key=lambda each: each.spare)
    names = [each.name for each in spare]
    yield [], None
    for count in range(len(names) + 1):
        yield names[:count], half
    least = min(half, LEAST_NAME)
    names += [each.name for each in reversed(others) if not each.spare]
    for count in range(len(spare), len(names) + 1):
        yield names[:count], least


def _width(drawn: RichTable, console: Console) -> int:
    unbounded = console.options.update(max_width=10_000)
    return Measurement.get(console, unbounded, drawn).maximum


def _rich(table: Table, left_out: list[str], most: int | None) -> RichTable:
    drawn = RichTable(
        title=Text(table.title, style="bold"), title_justify="left", box=box.SIMPLE_HEAD, padding=0
    )
    shown = [place for place, name in enumerate(table.header) if name not in left_out]
    name, *others = (Text(table.header[place]) for place in shown)
    drawn.add_column(name, no_wrap=most is None, overflow="fold", max_width=most)
    for text in others:
        drawn.add_column(text, justify="right", no_wrap=True)
    for row in table.rows:
        drawn.add_row(*(Text(row[place]) for place in shown))
    return drawn
