"""Charts of the raw samples of every row by every clock, round by round, around its median."""

from collections.abc import Iterator
from itertools import accumulate, pairwise
from typing import Any

from bench.names import by_workload, workload_name
from bench.records import Measurement, Report, Result
from bench.render.charts import axis, banded, keys, label
from bench.render.document import Chart, Key

MOST_POINTS = 240  # of one row that are drawn
FEW = 30  # are seen one by one, more as a cloud


def sample_charts(report: Report) -> Iterator[Chart]:
    """One for each workload: a band for each row and clock, a lane for each round."""
    looks = keys(report)
    xaxis = axis("% above the row's median", zeroline=True, zerolinewidth=2)
    for load, results in by_workload(report.results).items():
        bands = [
            (f"{r.backend}, {m.clock}: median {1e3 * m.median:.3f} ms", _lanes(r, m, looks))
            for r in results
            for m in r.clocks
        ]
        if bands:
            yield banded(workload_name(load), bands, xaxis)


def _lanes(result: Result, found: Measurement, looks: dict[str, Key]) -> list[dict[str, Any]]:
    """A box for each round, its samples evenly thinned where there are too many to draw."""
    step = -(-found.count // MOST_POINTS)
    ends = accumulate(found.rounds or (found.count,), initial=0)
    rounds = [found.seconds[start:end:step] for start, end in pairwise(ends) if end > start]
    name, key = label(result.backend), looks[result.backend]
    names = [f"{name}, round {n}" if len(rounds) > 1 else name for n in range(1, len(rounds) + 1)]
    return [_box(each, found.median, key, which) for each, which in zip(rounds, names, strict=True)]


def _box(samples: tuple[float, ...], median: float, key: Key, name: str) -> dict[str, Any]:
    few = len(samples) < FEW
    return {
        "type": "box",
        "x": [round(100 * (seconds / median - 1), 3) for seconds in samples],
        "customdata": [float(f"{1e3 * seconds:.6g}") for seconds in samples],
        "boxpoints": "all",
        "pointpos": 0,
        "jitter": 0.7,
        "line": {"width": 1.5, "color": key.colour},
        "fillcolor": "rgba(128,128,128,0.12)",
        "marker": {
            "size": 6 if few else 3,
            "opacity": 0.8 if few else 0.45,
            "color": key.colour,
        },
        "hoveron": "points",
        "name": name,
        "hovertemplate": "%{fullData.name}<br>%{customdata} ms<extra></extra>",
    }
