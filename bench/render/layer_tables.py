"""Layers of each row as tables of text: what takes the time, and how near it is to its bound."""

from bench.machine.bound import ceiling_of, percent_of_bound, profiled_seconds
from bench.records import Ceiling, Layer, Measurement, Report, Result, Skipped
from bench.render.table import EMPTY, Table, milliseconds, row_name

HEADER = ("layer", "kind", "ms", "share %", "GFLOP/s", "% bound")


def layers(report: Report) -> tuple[Table, ...]:
    """One table for each result whose layers were timed, in the order of the graph."""
    timed = [result for result in report.results if profiled_seconds(result.layers) > 0]
    return tuple(_layers(result, ceiling_of(report, result)) for result in timed)


def _layers(result: Result, ceiling: Ceiling | Skipped) -> Table:
    total = profiled_seconds(result.layers)
    rows = [_row(layer, total, ceiling) for layer in result.layers]
    within = [
        f"{layer.name}: {layer.seconds.reason}"
        for layer in result.layers
        if isinstance(layer.seconds, Skipped)
    ]
    remarks = (_sum(result, total), *within)
    return Table(f"Layers of {row_name(result)}", HEADER, tuple(rows), remarks)


def _row(layer: Layer, total: float, ceiling: Ceiling | Skipped) -> tuple[str, ...]:
    if isinstance(layer.seconds, Skipped):
        return (layer.name, layer.kind, *(EMPTY,) * 4)
    speed = share = EMPTY
    if layer.flops and layer.seconds:
        speed = f"{layer.flops / layer.seconds / 1e9:.1f}"
    if layer.bytes and layer.seconds and isinstance(ceiling, Ceiling):
        share = f"{percent_of_bound(layer.seconds, [layer], ceiling):.0f}"
    part = f"{100 * layer.seconds / total:.1f}"
    return (layer.name, layer.kind, milliseconds(layer.seconds), part, speed, share)


def _sum(result: Result, total: float) -> str:
    clocks = (result.device, result.measurement)
    measured = next((clock for clock in clocks if isinstance(clock, Measurement)), None)
    beside = "a profiler slows its runtime down, and counts no time between layers"
    if measured is None:
        return f"sum {milliseconds(total)} ms: {beside}"
    share = (
        f"{100 * total / measured.median:.0f} % of the median {milliseconds(measured.median)} ms"
    )
    return f"sum {milliseconds(total)} ms, {share} without a profiler: {beside}"
