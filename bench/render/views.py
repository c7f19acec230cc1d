"""Every file that a report becomes."""

from bench.records import Report
from bench.render import as_csv, as_html, as_json, as_markdown


def views(report: Report) -> dict[str, bytes]:
    """Content by file name; the one to open comes first."""
    return {
        "report.html": as_html.dump(report),
        "report.md": as_markdown.dump(report),
        "report.csv": as_csv.dump(report),
        "report.json": as_json.dump(report),
    }
