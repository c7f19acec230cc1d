"""Charts of speed under the ceilings of each device: the product's roof and the copy's slope."""

from collections.abc import Iterator

from bench.machine.bound import ceiling_of
from bench.names import grouped, row_name, workload_name
from bench.records import Ceiling, Report, Result, Skipped
from bench.render.charts import Trace, axis, chart, grey, keys, label, line, points
from bench.render.document import Chart, Key
from bench.timing.speed import all_ceilings, intensity, reach, ridge

AROUND = 4  # the axis goes on by this factor on both sides

Point = tuple[Result, float, float]


def roofline_charts(report: Report) -> Iterator[Chart]:
    """One for each device that has a ceiling with both sides."""
    points = [point for point in map(_point, report.results) if isinstance(point, tuple)]
    for device, found in grouped(all_ceilings(report), _device).items():
        lines = [ceiling for ceiling in found if ceiling.gb_per_second]
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
    for ceiling in all_ceilings(report) if report.results else ():
        if not ceiling.gb_per_second:
            where = f"{ceiling.precision} on the {_device(ceiling)}"
            told.setdefault("a ceiling without a copy's speed", []).append(where)
    return tuple(f"Left out, {reason}: {'; '.join(names)}." for reason, names in told.items())


def _device(ceiling: Ceiling | Skipped) -> str:
    return "CPU" if isinstance(ceiling, Ceiling) and ceiling.threads else "GPU"


def _point(result: Result) -> Point | Skipped:
    speed, where = result.gflop_per_second, intensity(result)
    if isinstance(speed, Skipped):
        return speed
    return where if isinstance(where, Skipped) else (result, where, speed)


def _chart(device: str, lines: list[Ceiling], found: list[Point], looks: dict[str, Key]) -> Chart:
    ends = [where for _, where, _ in found] + [ridge(ceiling) for ceiling in lines]
    low, high = min(ends) / AROUND, max(ends) * AROUND
    traces = [_roof(ceiling, (low, ridge(ceiling), high)) for ceiling in lines]
    shown = dict.fromkeys(looks[result.backend] for result, _, _ in found)
    traces += [_marks(key, [p for p in found if p[0].backend == key.name]) for key in shown]
    xaxis, yaxis = (
        axis(title, type="log", dtick=1, exponentformat="none")
        for title in ("FLOP per byte", "GFLOP/s")
    )
    title = f"Roofline of the {device}"
    return chart(title, traces, 400, xaxis=xaxis, yaxis=yaxis, hovermode="closest")


def _roof(ceiling: Ceiling, wheres: tuple[float, ...]) -> Trace:
    speeds = f"{ceiling.gflop_per_second:.0f} GFLOP/s, {ceiling.gb_per_second:.0f} GB/s"
    key = grey(f"{ceiling.precision} ceiling: {speeds}", ceiling.precision)
    return line(key, wheres, (reach(ceiling, where) for where in wheres))


def _marks(key: Key, found: list[Point]) -> Trace:
    speeds = [speed for _, _, speed in found]
    texts = [
        label(
            result.backend,
            workload_name(result.workload),
            f"{speed:.1f} GFLOP/s at {where:.1f} FLOP per byte",
        )
        for result, where, speed in found
    ]
    return points(key, (where for _, where, _ in found), speeds, texts)
