"""What it costs to compute a signal chunk by chunk, as a document."""

from collections.abc import Callable, Iterable

from bench.names import grouped
from bench.render.charts import COLOURS, SYMBOLS, Trace, axis, chart, label, points
from bench.render.document import Chart, Column, Document, Key, Section, Table, Verdict, ms
from bench.render.views import machine
from bench.streaming_record import Row, Streaming

WAYS = """\
whole: the usual file on all of the signal, once
window: the usual file on each chunk and its context, cut afterwards; outside of the signal zeros
context: a file of --chunk; state: a file of --chunk --stateful
wait: until the frames of the first call with audio are there, at real time
compute: of the calls until that audio is out; those that were made while others waited add nothing
RTF: seconds of work for a second of audio, at the median of a call; twice: FLOPs beyond the whole's
late: chunks that a player waits for; it lets each call take as long as its chunk lasts
streams: most in one batch, by powers of two, of which 95 % of the calls keep up with real time
SNR dB: of the worst chunk that was looked at, beside PyTorch in float64\
"""
LEAD = (
    "Each point is a length of chunk. Left is sooner, up is faster: a stream needs at least one "
    "second of audio in a second."
)


def document(found: Streaming) -> Document:
    """The table in short; the chart and the table as sections."""
    tables = tuple(_tables(found))
    drawn = (_chart(found),) if any(row.first_s is not None for row in found.rows) else ()
    failed = [row for row in found.rows if not row.passed]
    return Document(
        title=f"hifi-bench stream: {found.variant}",
        facts=_facts(found),
        summary=tables,
        sections=(
            *((Section("Latency and throughput", LEAD, drawn),) if drawn else ()),
            Section("Chunks", tables=tables, notes=found.missing),
        ),
        tool=found.tool,
        warnings=machine.warnings([found.others]),
        verdicts=(
            *(Verdict(f"not measured: {each}", good=False) for each in found.missing),
            *(Verdict(_short_of(row), good=False) for row in failed),
        ),
    )


def _short_of(row: Row) -> str:
    asked = f"{row.budget_db:g} dB is promised"
    return f"{row.backend}, {_name(row)}: {row.snr_db:.1f} dB, {asked}"


def _facts(found: Streaming) -> tuple[str, ...]:
    lasts = next((row.unit_s for row in found.rows if row.unit_s is not None), None)
    told = f"{found.length} {found.unit}"
    seconds = "" if lasts is None else f", {found.length * lasts:.2f} s"
    before, after = found.needed
    return (
        f"{found.variant}, {told}{seconds}; context {before} + {after} {found.unit}",
        f"source: {found.source}, weights: {found.weights}, threads: {found.threads}",
        *machine.lines(found.machine),
        f"{found.tool}, {found.created}",
    )


def _tables(found: Streaming) -> Iterable[Table]:
    """One for each backend; what the columns mean is said once."""
    every = grouped(found.rows, lambda row: row.backend)
    for place, (backend, rows) in enumerate(every.items(), 1):
        notes = tuple(WAYS.splitlines()) if place == len(every) else ()
        yield Table(backend, _columns(found), tuple(rows), notes)


def _columns(found: Streaming) -> tuple[Column, ...]:
    return (
        Column("way", _name),
        ms("first audio ms", "first_s"),
        ms("wait ms", "wait_s", spare=4),
        ms("compute ms", "compute_s", spare=3),
        Column("RTF", "real_time_factor", "{:.3f}"),
        Column("twice %", found.twice, "{:.0f}", 100, spare=6),
        ms("p50 ms", "median"),
        Column("p95 ms", "p95", "{:.2f}", 1e3, missing="too few", spare=2),
        Column("late %", "underruns", "{:.1f}", 100, spare=1),
        Column("streams", "streams", spare=5),
        Column("SNR dB", "snr_db", "{:.1f}"),
    )


def _name(row: Row) -> str:
    return row.way if row.way == "whole" else f"{row.way}, {row.pace.chunk}"


def _chart(found: Streaming) -> Chart:
    """Time to first audio against seconds of audio in a second, a line for each way."""
    lines = grouped(found.rows, lambda row: (row.backend, row.way))
    backends = [*dict.fromkeys(backend for backend, _ in lines)]
    ways = [*dict.fromkeys(way for _, way in lines)]
    marks = tuple(SYMBOLS)
    traces: list[Trace] = []
    for (backend, way), rows in lines.items():
        mark = marks[ways.index(way) % len(marks)]
        colour = COLOURS[backends.index(backend) % len(COLOURS)]
        traces.append(_line(Key(f"{backend}, {way}", mark, colour), rows))
    return chart(
        found.variant,
        traces,
        420,
        xaxis=axis("first audio, ms", type="log", dtick="D2", tickformat="~g"),
        yaxis=axis("seconds of audio in a second", type="log", dtick="D2", tickformat="~g"),
    )


def _line(key: Key, rows: list[Row]) -> Trace:
    rows = sorted(rows, key=lambda row: row.pace.chunk)
    x = [1e3 * value for value in _values(rows, lambda row: row.first_s)]
    y = [1 / value for value in _values(rows, lambda row: row.real_time_factor)]
    texts = [
        label(f"{row.backend}, {_name(row)}", f"{ms:.1f} ms to first audio, {fast:.1f} x real time")
        for row, ms, fast in zip(rows, x, y, strict=True)
    ]
    return points(key, x, y, texts, "lines+markers")


def _values(rows: list[Row], of: Callable[[Row], float | None]) -> list[float]:
    found = [of(row) for row in rows]
    assert None not in found, "all rows are of one axis"
    return [value for value in found if value is not None]
