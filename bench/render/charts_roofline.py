"""Charts of speed under the ceilings of each device: the product's roof and the copy's slope."""

from collections.abc import Iterator
from typing import Any

from bench.machine.bound import ceiling_of
from bench.records import Ceiling, Report, Result, Skipped
from bench.render.charts import GREY, Chart, Key, figure, keys, label, line_of, symbol
from bench.render.names import workload_name
from bench.render.table import row_name
from bench.timing.speed import all_ceilings, intensity, reach, ridge

AROUND = 4  # the axis goes on by this factor on both sides

Point = tuple[Result, float, float]


def roofline_charts(report: Report) -> Iterator[Chart]:
    """One for each device that has a ceiling with both sides."""
    for device, found in _devices(report).items():
        lines = [ceiling for ceiling in found if ceiling.gb_per_second]
        points = [point for point in map(_point, report.results) if isinstance(point, tuple)]
        own = [p for p in points if _device(ceiling_of(report, p[0])) == device]
        if lines:
            yield _chart(device, lines, own, keys(report))


def left_out(report: Report) -> tuple[str, ...]:
    """What was measured and is not in the charts, and why."""
    told: dict[str, list[str]] = {}
    for result in report.results:
        hole = _point(result)
        if isinstance(hole, Skipped) and hole != result.measurement:
            told.setdefault(hole.reason, []).append(row_name(result))
    for device, found in _devices(report).items():
        flat = [
            f"{ceiling.precision} on the {device}" for ceiling in found if not ceiling.gb_per_second
        ]
        if flat:
            told.setdefault("a ceiling without a copy's speed", []).extend(flat)
    return tuple(f"Left out, {reason}: {'; '.join(names)}." for reason, names in told.items())


def _devices(report: Report) -> dict[str, list[Ceiling]]:
    found: dict[str, list[Ceiling]] = {}
    for ceiling in all_ceilings(report):
        found.setdefault(_device(ceiling), []).append(ceiling)
    return found


def _device(ceiling: Ceiling | Skipped) -> str:
    return "CPU" if isinstance(ceiling, Ceiling) and ceiling.threads else "GPU"


def _point(result: Result) -> Point | Skipped:
    speed, where = result.gflop_per_second, intensity(result)
    if isinstance(speed, Skipped):
        return speed
    return where if isinstance(where, Skipped) else (result, where, speed)


def _chart(device: str, lines: list[Ceiling], points: list[Point], looks: dict[str, Key]) -> Chart:
    ends = [where for _, where, _ in points] + [ridge(ceiling) for ceiling in lines]
    low, high = min(ends) / AROUND, max(ends) * AROUND
    traces = [_roof(ceiling, (low, ridge(ceiling), high)) for ceiling in lines]
    shown = dict.fromkeys(looks[result.backend] for result, _, _ in points)
    traces += [_marks(key, [p for p in points if p[0].backend == key.name]) for key in shown]
    axis = {"type": "log", "dtick": 1, "exponentformat": "none"}
    drawn = figure(
        traces,
        400,
        xaxis={**axis, "title": "FLOP per byte"},
        yaxis={**axis, "title": "GFLOP/s"},
        hovermode="closest",
    )
    roofs = [Key(_name(ceiling), line_of(ceiling.precision)[1], GREY) for ceiling in lines]
    return Chart(f"Roofline of the {device}", drawn, (*roofs, *shown))


def _roof(ceiling: Ceiling, wheres: tuple[float, ...]) -> Any:
    import plotly.graph_objects as go

    return go.Scatter(
        x=wheres,
        y=[reach(ceiling, where) for where in wheres],
        mode="lines",
        line={"color": GREY, "width": 2, "dash": line_of(ceiling.precision)[0]},
        hoverinfo="skip",
        legendgroup=_name(ceiling),
    )


def _marks(key: Key, points: list[Point]) -> Any:
    import plotly.graph_objects as go

    return go.Scatter(
        x=[where for _, where, _ in points],
        y=[speed for _, _, speed in points],
        text=[_told(*point) for point in points],
        mode="markers",
        marker={"symbol": symbol(key), "size": 10, "color": key.colour},
        hovertemplate="%{text}<extra></extra>",
        legendgroup=key.name,
    )


def _told(result: Result, where: float, speed: float) -> str:
    numbers = f"{speed:.1f} GFLOP/s at {where:.1f} FLOP per byte"
    return "<br>".join(map(label, (result.backend, workload_name(result.workload), numbers)))


def _name(ceiling: Ceiling) -> str:
    speeds = f"{ceiling.gflop_per_second:.0f} GFLOP/s, {ceiling.gb_per_second:.0f} GB/s"
    return f"{ceiling.precision} ceiling: {speeds}"
