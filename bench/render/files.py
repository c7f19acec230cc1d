"""Every view of a report as a file."""

from pathlib import Path

from bench.records import Report
from bench.render import as_json, as_markdown
from export import atomic


def write(report: Report, folder: Path) -> None:
    """Replace all of them or none. Raises HifiError where the folder cannot be written."""
    views = {"report.json": as_json.dump(report), "report.md": as_markdown.dump(report)}
    atomic.write_all({folder / name: content for name, content in views.items()})
