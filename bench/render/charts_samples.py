"""Charts of the raw samples of every row by every clock, round by round, around its median."""

from collections.abc import Iterator
from itertools import accumulate, pairwise
from typing import Any

from bench.records import Measurement, Report, Result
from bench.render.charts import Chart, Key, by_workload, keys, label
from bench.render.charts_bands import LANE, Band, banded, bands
from bench.render.names import workload_name

MOST_POINTS = 240  # of one row that are drawn
FEW = 30

Timed = tuple[Result, Measurement]


def sample_charts(report: Report) -> Iterator[Chart]:
    """One for each workload: a band for each row and clock, a lane for each round."""
    looks = keys(report)
    for load, results in by_workload(report.results).items():
        timed = [(r, m) for r in results for m in _clocks(r)]
        if timed:
            yield _chart(workload_name(load), timed, looks)


def _clocks(result: Result) -> list[Measurement]:
    found = (result.measurement, result.device, result.end_to_end, result.throughput)
    return [each for each in found if isinstance(each, Measurement)]


def _chart(title: str, timed: list[Timed], looks: dict[str, Key]) -> Chart:
    rounds = [_rounds(found) for _, found in timed]
    names = (f"{r.backend}, {m.clock}: median {1e3 * m.median:.3f} ms" for r, m in timed)
    laid = bands(zip(names, map(len, rounds), strict=True))
    traces = [
        _box(each, samples, band, lane, looks[each[0].backend])
        for each, lanes, band in zip(timed, rounds, laid, strict=True)
        for lane, samples in enumerate(lanes)
    ]
    xaxis = {"title": "% above the row's median", "zeroline": True, "zerolinewidth": 2}
    return Chart(title, banded(traces, laid, xaxis))


def _rounds(found: Measurement) -> list[tuple[float, ...]]:
    """Samples of each round, seconds, evenly thinned where there are too many to draw."""
    step = -(-found.count // MOST_POINTS)
    ends = accumulate(found.rounds or (found.count,), initial=0)
    return [found.seconds[start:end:step] for start, end in pairwise(ends) if end > start]


def _box(timed: Timed, samples: tuple[float, ...], band: Band, lane: int, key: Key) -> Any:
    import plotly.graph_objects as go

    result, found = timed
    which = f", round {lane + 1}" if len(band.lanes) > 1 else ""
    return go.Box(
        x=[round(100 * (seconds / found.median - 1), 3) for seconds in samples],
        customdata=[float(f"{1e3 * seconds:.6g}") for seconds in samples],
        y0=band.lanes[lane],
        orientation="h",
        width=LANE - 6,
        boxpoints="all",
        pointpos=0,
        jitter=0.7,
        line={"width": 1.5, "color": key.colour},
        fillcolor="rgba(128,128,128,0.12)",
        marker=_marks(len(samples), key.colour),
        hoveron="points",
        name=label(result.backend) + which,
        hovertemplate="%{fullData.name}<br>%{customdata} ms<extra></extra>",
    )


def _marks(count: int, colour: str) -> dict[str, Any]:
    """A few are seen one by one, many as a cloud."""
    few = count < FEW
    return {"size": 6 if few else 3, "opacity": 0.8 if few else 0.45, "color": colour}
