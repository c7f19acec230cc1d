"""A report in the terminal."""

from typing import Literal

from rich import box
from rich.console import Console
from rich.measure import Measurement
from rich.table import Table as RichTable
from rich.text import Text

from bench.records import Report
from bench.render.context import context
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


def print_table(report: Report, console: Console | None = None) -> None:
    """Print speeds, latencies and their context, on standard output unless told otherwise."""
    console = console or Console()
    for table in (*together(report), *latency(report), *layers(report)):
        draw(table, console)
    for line in context(report):
        console.print(Text(line, style="dim"))


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
    """The table without the columns that the terminal is too narrow for: no number is ever cut."""
    left_out: list[str] = []
    unbounded = console.options.update(max_width=10_000)
    drawn = _rich(table, left_out)
    for name in LEFT_OUT_FIRST:
        if Measurement.get(console, unbounded, drawn).maximum <= console.width:
            break
        if name in table.header:
            left_out.append(name)
            drawn = _rich(table, left_out)
    return drawn, left_out


def _rich(table: Table, left_out: list[str]) -> RichTable:
    drawn = RichTable(
        title=Text(table.title, style="bold"), title_justify="left", box=box.SIMPLE_HEAD, padding=0
    )
    shown = [column for column, name in enumerate(table.header) if name not in left_out]
    for column in shown:
        justify: Literal["left", "right"] = "right" if column else "left"
        drawn.add_column(Text(table.header[column]), justify=justify, no_wrap=True)
    for row in table.rows:
        drawn.add_row(*(Text(row[column]) for column in shown))
    return drawn
