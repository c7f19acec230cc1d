"""The best that a machine could do on a graph, and how near a row comes to it.

A layer is bound by what it computes or by what it moves, whichever takes longer at the ceilings.
Layers follow one another, so their bounds add up. The bytes are those of the graph in memory: what
stays in a cache between two layers moves faster than a bound that counts it.
"""

from collections.abc import Iterable

from bench.records import NOT_TAKEN, Ceiling, Layer, Measurement, Report, Result, Skipped

INTEGERS = ("int8", "mixed")


def bound_seconds(layers: Iterable[Layer], ceiling: Ceiling) -> float:
    """The least time that layers take one after the other, seconds.

    Args:
        layers: each with what is fused to it.
        ceiling: of the device, in the precision of the arithmetic; one without a bandwidth bounds
            by what is computed alone.
    """
    return sum(_least(layer, ceiling) for layer in layers)


def percent_of_bound(seconds: float, layers: Iterable[Layer], ceiling: Ceiling) -> float:
    """How much of a time, above 0 seconds, is the least that it could be."""
    return 100 * bound_seconds(layers, ceiling) / seconds


def ceiling_of(report: Report, result: Result) -> Ceiling | Skipped:
    """That of the device and the precision of a row.

    Where none was measured it is that of float32, which bounds no integers.
    """
    on_gpu = isinstance(result.device, Measurement)
    precision = result.workload.precision
    for ceiling in report.ceilings:
        if ceiling.precision == precision and (ceiling.threads == 0) == on_gpu:
            return ceiling
    if precision in INTEGERS:
        return Skipped(f"no ceiling of {precision} was measured")
    return report.ceiling_of(result)


def bound_share(report: Report, result: Result) -> float | Skipped:
    """Per cent of the binding ceiling that the median of a row reaches."""
    if isinstance(result.measurement, Skipped):
        return result.measurement
    ceiling = ceiling_of(report, result)
    if isinstance(ceiling, Skipped):
        return ceiling
    if not ceiling.gb_per_second or not result.layers:
        return NOT_TAKEN
    return percent_of_bound(result.measurement.median, result.layers, ceiling)


def gb_per_second(result: Result) -> float | Skipped:
    """Bytes that a pass must move over its median, 10^9 bytes a second."""
    if isinstance(result.measurement, Skipped):
        return result.measurement
    return result.bytes_moved / result.measurement.median / 1e9 if result.bytes_moved else NOT_TAKEN


def profiled_seconds(layers: Iterable[Layer]) -> float:
    """All that a profiler told of a pass, seconds."""
    return sum(layer.seconds for layer in layers if isinstance(layer.seconds, float))


def _least(layer: Layer, ceiling: Ceiling) -> float:
    moved = layer.bytes / ceiling.gb_per_second if ceiling.gb_per_second else 0.0
    return max(layer.flops / ceiling.gflop_per_second, moved) / 1e9
