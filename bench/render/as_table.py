"""A report in the terminal."""

from rich import box
from rich.console import Console
from rich.table import Table as RichTable
from rich.text import Text

from bench.records import Report
from bench.render.context import context
from bench.render.tables import Table, latency


def print_table(report: Report, console: Console | None = None) -> None:
    """Print the latency tables and their context, on standard output unless told otherwise."""
    console = console or Console()
    for table in latency(report):
        console.print(_rich(table))
        for remark in table.remarks:
            console.print(Text(f"  {remark}", style="yellow"))
        console.print()
    for line in context(report):
        console.print(Text(line, style="dim"))


def _rich(table: Table) -> RichTable:
    drawn = RichTable(
        title=Text(table.title, style="bold"), title_justify="left", box=box.SIMPLE_HEAD, padding=0
    )
    for column, name in enumerate(table.header):
        drawn.add_column(Text(name), justify="right" if column else "left", no_wrap=not column)
    for row in table.rows:
        drawn.add_row(*map(Text, row))
    return drawn
