"""Every file that a report becomes."""

from collections.abc import Callable, Mapping

from bench.records import Report
from bench.render import as_csv, as_html, as_json, as_markdown
from export.optional import why_missing

# The one to open comes first.
VIEWS: Mapping[str, Callable[[Report], bytes]] = {
    "report.html": as_html.dump,
    "report.md": as_markdown.dump,
    "report.csv": as_csv.dump,
    "report.json": as_json.dump,
}


def views(report: Report) -> dict[str, bytes]:
    """Content by file name."""
    return {name: dump(report) for name, dump in VIEWS.items()}


def why_no_html() -> str | None:
    """What draws the page and is missing here, where only a runtime may be installed."""
    return why_missing("jinja2", "pip install jinja2") or why_missing(
        "plotly", "pip install plotly"
    )
