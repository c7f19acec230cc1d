"""A report in the terminal."""

from collections.abc import Iterable, Iterator

from rich import box
from rich.console import Console
from rich.measure import Measurement
from rich.table import Table as RichTable
from rich.text import Text

from bench.records import Report
from bench.render.context import context, of_report
from bench.render.layer_tables import layers
from bench.render.speedups import together
from bench.render.table import Table
from bench.render.tables import latency

LEFT_OUT_FIRST = (
    *("torch change", "float64", "expected", "found", "worst at"),
    *("GB/s", "prepare s", "% peak", "x real time", "GFLOP/s", "torch dB", "% bound", "± %"),
    *("SNR dB", "kind", "share %"),
    *("A ms", "B ms", "clock", "95 % interval"),
)

LEAST_NAME = 8


def print_table(report: Report, console: Console | None = None) -> None:
    """Print speeds, latencies and their context, on standard output unless told otherwise."""
    console = console or Console()
    warn(of_report(report), console)
    for table in (*together(report), *latency(report), *layers(report)):
        draw(table, console)
    for line in context(report):
        console.print(Text(line, style="dim"))


def warn(warnings: Iterable[str], console: Console) -> None:
    """Print what must be known before any number."""
    for line in warnings:
        console.print(Text(line, style="bold red"))
        console.print()


def draw(table: Table, console: Console) -> None:
    """Print a table, which columns it is too narrow for, and its remarks."""
    shown, left_out = _fitting(table, console)
    console.print(shown)
    if left_out:
        console.print(Text(f"  too narrow for: {', '.join(left_out)}", style="yellow"))
    for remark in table.remarks:
        console.print(Text(f"  {remark}", style="yellow"))
    console.print()


def _fitting(table: Table, console: Console) -> tuple[RichTable, list[str]]:
    """As wide as the terminal: no number is ever cut.

    Names fold into half of it, then columns are left out, then names take what is left to them.
    """
    half = console.width // 2
    for left_out, narrow in _narrower(table, half):
        if _width(_rich(table, left_out, narrow), console) <= console.width:
            break
    # rich takes from the column that may fold alone
    return _rich(table, left_out, narrow and half), left_out


def _narrower(table: Table, half: int) -> Iterator[tuple[list[str], int | None]]:
    """Columns to leave out, and how wide the names may be, if that is limited."""
    yield [], None
    yield [], half
    left_out: list[str] = []
    for name in LEFT_OUT_FIRST:
        if name in table.header:
            left_out = [*left_out, name]
            yield left_out, half
    least = min(half, LEAST_NAME)
    yield left_out, least
    for name in reversed(table.header[2:]):
        if name not in left_out:
            left_out = [*left_out, name]
            yield left_out, least


def _width(drawn: RichTable, console: Console) -> int:
    unbounded = console.options.update(max_width=10_000)
    return Measurement.get(console, unbounded, drawn).maximum


def _rich(table: Table, left_out: list[str], most: int | None) -> RichTable:
    drawn = RichTable(
        title=Text(table.title, style="bold"), title_justify="left", box=box.SIMPLE_HEAD, padding=0
    )
    shown = [column for column, name in enumerate(table.header) if name not in left_out]
    name, *others = (Text(table.header[column]) for column in shown)
    drawn.add_column(name, no_wrap=most is None, overflow="fold", max_width=most)
    for text in others:
        drawn.add_column(text, justify="right", no_wrap=True)
    for row in table.rows:
        drawn.add_row(*(Text(row[column]) for column in shown))
    return drawn
