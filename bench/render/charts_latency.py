"""Charts of the median with its interval: by batch, or for one batch beside each other."""

from collections.abc import Iterator
from typing import Any

from bench.records import Measurement, Report, Result
from bench.render.charts import Chart, Key, by_series, figure, keys, label, symbol
from bench.render.charts_bands import LANE, Band, banded, bands
from bench.render.names import series_name, workload_name
from bench.timing.stopping import LEAST_SAMPLES

Timed = tuple[Result, Measurement]


def latency_charts(report: Report) -> Iterator[Chart]:
    """One for each network and length by each clock that has rows."""
    looks = keys(report)
    for load, results in by_series(report.results).items():
        for clock in ("call", "device", "throughput"):
            timed = [(r, m) for r in results for m in _by(clock, r)]
            batches = {result.workload.batch for result, _ in timed}
            if len(batches) > 1:
                yield _lines(f"{series_name(load)}, {clock} clock", timed, looks)
            elif timed:
                name = workload_name(timed[0][0].workload)
                yield _bars(f"{name}, {clock} clock", timed, looks)


def _by(clock: str, result: Result) -> list[Measurement]:
    found = (result.measurement, result.device, result.throughput)
    return [each for each in found if isinstance(each, Measurement) and each.clock == clock]


def _lines(title: str, timed: list[Timed], looks: dict[str, Key]) -> Chart:
    batches = sorted({result.workload.batch for result, _ in timed})
    shown = dict.fromkeys(looks[result.backend] for result, _ in timed)
    traces = [_line([t for t in timed if t[0].backend == key.name], batches, key) for key in shown]
    xaxis = {"type": "log", "title": "batch", "tickvals": batches, "minor": {"showgrid": False}}
    yaxis = {"type": "log", "title": "ms", "dtick": "D2", "tickformat": "~g"}
    return Chart(title, figure(traces, 380, xaxis=xaxis, yaxis=yaxis), tuple(shown))


def _line(timed: list[Timed], batches: list[int], key: Key) -> Any:
    """Broken where a batch has no measurement."""
    import plotly.graph_objects as go

    holes: list[Timed | int] = [b for b in batches if b not in {r.workload.batch for r, _ in timed}]
    points = sorted([*timed, *holes], key=_batch)
    return go.Scatter(
        x=[_batch(point) for point in points],
        y=[None if isinstance(point, int) else 1e3 * point[1].median for point in points],
        error_y=_interval([None if isinstance(point, int) else point[1] for point in points]),
        text=["" if isinstance(point, int) else _told(*point) for point in points],
        mode="lines+markers",
        line={"color": key.colour},
        marker={"symbol": symbol(key), "size": 9},
        hovertemplate="%{text}<extra></extra>",
        legendgroup=key.name,
    )


def _batch(point: Timed | int) -> int:
    return point if isinstance(point, int) else point[0].workload.batch


def _bars(title: str, timed: list[Timed], looks: dict[str, Key]) -> Chart:
    names = (f"{r.backend}: {1e3 * m.median:.2f} ms{_states(m)}" for r, m in timed)
    laid = bands((name, 1) for name in names)
    traces = [_bar(*each, band, looks) for each, band in zip(timed, laid, strict=True)]
    xaxis = {"title": "ms", "rangemode": "tozero", "exponentformat": "none"}
    return Chart(title, banded(traces, laid, xaxis))


def _bar(result: Result, found: Measurement, band: Band, looks: dict[str, Key]) -> Any:
    import plotly.graph_objects as go

    return go.Bar(
        x=[1e3 * found.median],
        y=band.lanes,
        width=LANE - 6,
        orientation="h",
        error_x=_interval([found]),
        text=[_told(result, found)],
        textposition="none",
        hovertemplate="%{text}<extra></extra>",
        marker={"color": looks[result.backend].colour},
    )


def _interval(found: list[Measurement | None]) -> dict[str, Any]:
    """Above and below each median, milliseconds; nothing where samples are too few for one."""
    enough = [m if m and m.count >= LEAST_SAMPLES else None for m in found]
    return {
        "type": "data",
        "array": [1e3 * (m.interval[1] - m.median) if m else 0 for m in enough],
        "arrayminus": [1e3 * (m.median - m.interval[0]) if m else 0 for m in enough],
        "thickness": 1.5,
        "width": 5,
    }


def _told(result: Result, found: Measurement) -> str:
    lines = [result.backend, workload_name(result.workload), f"{1e3 * found.median:.3f} ms"]
    if found.count >= LEAST_SAMPLES:
        low, high = found.interval
        lines.append(f"95 %: {1e3 * low:.3f} to {1e3 * high:.3f} ms")
    return "<br>".join(label(line) for line in (*lines, *found.states))


def _states(found: Measurement) -> str:
    return "".join(f", {state}" for state in found.states)
