"""A report in the terminal."""

from rich.console import Console
from rich.table import Table
from rich.text import Text

from bench.records import Report
from bench.render.context import context
from bench.render.rows import HEADER, LEFT_ALIGNED, rows

PIPE_WIDTH = 200  # where no terminal says how wide it is


def print_table(report: Report) -> None:
    """Print the table and its context on standard output."""
    console = Console()
    if not console.is_terminal:
        console = Console(width=PIPE_WIDTH)
    table = Table(title="hifi-bench", title_justify="left")
    for name in HEADER:
        table.add_column(name, justify="left" if name in LEFT_ALIGNED else "right")
    for row in rows(report):
        table.add_row(*map(Text, row))
    console.print(table)
    for line in context(report):
        console.print(Text(line, style="dim"))
