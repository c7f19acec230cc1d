"""A report in its folder and in the terminal."""

from pathlib import Path

from bench.records import Report
from bench.render.as_table import print_table
from bench.render.views import views
from export import atomic


def save(report: Report, folder: Path) -> str:
    """Write every view, print the tables, and tell where the report is."""
    atomic.write_all({folder / name: content for name, content in views(report).items()})
    print_table(report)
    return f"report: {folder / 'report.html'}; beside it .md, .csv and .json"
