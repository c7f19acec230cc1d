"""A report as a Markdown page."""

from bench.records import Report
from bench.render.context import context, of_report
from bench.render.layer_tables import layers
from bench.render.speedups import together
from bench.render.table import Table
from bench.render.tables import latency, parity, samples, settings
from bench.render.tables_costs import costs
from bench.render.tables_gpu import gpu_at_work
from bench.render.tables_proof import holes, proofs


def markdown(report: Report) -> str:
    """The context, speeds and latencies, every statistic, settings, proofs, holes and parity."""
    timed = (*together(report), *latency(report), *layers(report), samples(report))
    told = (costs(report), gpu_at_work(report), proofs(report), holes(report))
    stated = (table for table in told if table.rows)
    tables = (*timed, settings(report), *stated, *parity(report))
    heading = f"# hifi-bench, {report.created}"
    facts = "\n".join(f"- {line}" for line in context(report))
    parts = [heading, *map(warning, of_report(report)), facts, *map(section, tables)]
    return "\n\n".join(parts) + "\n"


def dump(report: Report) -> bytes:
    """The page as a file."""
    return markdown(report).encode()


def brief(report: Report) -> str:
    """The speeds and what they mean, for a page about something else."""
    facts = "\n".join(f"- {line}" for line in context(report))
    tables = (*together(report), *latency(report))
    warned = map(warning, of_report(report))
    return "\n\n".join([*warned, *(section(table, "###") for table in tables), facts]) + "\n"


def warning(line: str) -> str:
    """What must be known before any number."""
    return f"> **{line}**"


def section(table: Table, level: str = "##") -> str:
    """A heading, the table and its remarks."""
    rules = [":--", *("--:" for _ in table.header[1:])]
    lines = [_line(table.header), _line(tuple(rules)), *map(_line, table.rows)]
    parts = [f"{level} {table.title}", "\n".join(lines) if table.rows else "None."]
    if table.remarks:
        parts.append("\n".join(f"- {remark}" for remark in table.remarks))
    return "\n\n".join(parts)


def _line(cells: tuple[str, ...]) -> str:
    return f"| {' | '.join(cell.replace('|', '/') for cell in cells)} |"
