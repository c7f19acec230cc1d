"""A report as a Markdown page."""

from bench.records import Report
from bench.render.context import context
from bench.render.rows import HEADER, LEFT_ALIGNED, rows


def markdown(report: Report) -> str:
    """A heading, the context, the table, and the settings of each backend."""
    rules = [":--" if name in LEFT_ALIGNED else "--:" for name in HEADER]
    table = [_line(HEADER), _line(rules), *(_line(row) for row in rows(report))]
    facts = [f"- {line}" for line in context(report)]
    settings = [
        f"- {backend}: {', '.join(f'{key} {value}' for key, value in told.items())}"
        for backend, told in {r.backend: r.settings for r in report.results if r.settings}.items()
    ]
    parts = [
        f"# hifi-bench, {report.created}",
        "\n".join(facts),
        "\n".join(table),
        "## Settings, as read back",
        "\n".join(settings) or "None: nothing ran.",
    ]
    return "\n\n".join(parts) + "\n"


def _line(cells: tuple[str, ...] | list[str]) -> str:
    return f"| {' | '.join(cell.replace('|', '/') for cell in cells)} |"
