"""Charts of the median with its interval: by batch, or for one batch beside each other."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from bench.names import grouped, series_name, workload_name
from bench.records import Measurement, Report, Result, Skipped, Workload
from bench.render.charts import Trace, axis, banded, chart, keys, label, points
from bench.render.document import Chart, Key
from hifigan_ref.network import BATCH

Timed = tuple[Result, Measurement]
Point = tuple[int, Result | None, Measurement | None]
"""A batch, and what was measured there."""


def latency_charts(report: Report) -> Iterator[Chart]:
    """One for each network and length by each clock that has rows."""
    looks = keys(report)
    for load, results in grouped(report.results, lambda r: _of_any_batch(r.workload)).items():
        for clock in ("call", "device", "throughput"):
            timed = [(r, m) for r in results for m in r.clocks if m.clock == clock]
            batches = sorted({result.workload.batch for result, _ in timed})
            if len(batches) > 1:
                yield _lines(f"{series_name(load)}, {clock} clock", timed, batches, looks)
            elif timed:
                name = workload_name(timed[0][0].workload)
                yield _bars(f"{name}, {clock} clock", timed, looks)


def _of_any_batch(load: Workload) -> Workload:
    sizes = {**load.sizes, BATCH: 1}
    return replace(load, precision="fp32", sizes=sizes, audio_seconds=None)


def _lines(title: str, timed: list[Timed], batches: list[int], looks: dict[str, Key]) -> Chart:
    shown = dict.fromkeys(looks[result.backend] for result, _ in timed)
    traces = [_line([t for t in timed if t[0].backend == key.name], batches, key) for key in shown]
    xaxis = axis("batch", type="log", tickvals=batches, minor={"showgrid": False})
    yaxis = axis("ms", type="log", dtick="D2", tickformat="~g")
    return chart(title, traces, 380, xaxis=xaxis, yaxis=yaxis)


def _line(timed: list[Timed], batches: list[int], key: Key) -> Trace:
    """Broken where a batch has no measurement."""
    found: list[Point] = [(result.workload.batch, result, m) for result, m in timed]
    there = {batch for batch, _, _ in found}
    found += [(batch, None, None) for batch in batches if batch not in there]
    found.sort(key=lambda point: point[0])
    medians = [1e3 * m.median if m else None for _, _, m in found]
    texts = [_told(result, m) if result and m else "" for _, result, m in found]
    x = (batch for batch, _, _ in found)
    _, trace = points(key, x, medians, texts, "lines+markers")
    return key, {**trace, "error_y": _interval([m for _, _, m in found])}


def _bars(title: str, timed: list[Timed], looks: dict[str, Key]) -> Chart:
    bands = [
        (f"{', '.join((f'{r.backend}: {1e3 * m.median:.2f} ms', *m.states))}", [_bar(r, m, looks)])
        for r, m in timed
    ]
    return banded(title, bands, axis("ms", rangemode="tozero", exponentformat="none"))


def _bar(result: Result, found: Measurement, looks: dict[str, Key]) -> dict[str, Any]:
    return {
        "type": "bar",
        "x": [1e3 * found.median],
        "error_x": _interval([found]),
        "text": [_told(result, found)],
        "textposition": "none",
        "hovertemplate": "%{text}<extra></extra>",
        "marker": {"color": looks[result.backend].colour},
    }


def _interval(found: list[Measurement | None]) -> dict[str, Any]:
    """Above and below each median, milliseconds; nothing where samples are too few for one."""
    sides = [_sides(each) for each in found]
    above, below = ([each[side] for each in sides] for side in (1, 0))
    return {"type": "data", "array": above, "arrayminus": below, "thickness": 1.5, "width": 5}


def _sides(found: Measurement | None) -> tuple[float, float]:
    if found is None or isinstance(found.sure_interval, Skipped):
        return 0, 0
    low, high = found.sure_interval
    return 1e3 * (found.median - low), 1e3 * (high - found.median)


def _told(result: Result, found: Measurement) -> str:
    lines = [result.backend, workload_name(result.workload), f"{1e3 * found.median:.3f} ms"]
    ends = found.sure_interval
    if not isinstance(ends, Skipped):
        lines.append(f"95 %: {1e3 * ends[0]:.3f} to {1e3 * ends[1]:.3f} ms")
    return label(*lines, *found.states)
