"""A time in other words: GFLOP/s, audio per second, and how far from what the machine can do."""

from bench.machine.bound import ceiling_of
from bench.records import Ceiling, Measurement, Report, Result, Skipped, audio_rate


def gflop_per_second(result: Result, measurement: Measurement) -> float:
    """At the median by that clock."""
    return result.flops / measurement.median / 1e9


def audio_seconds_per_second(result: Result, measurement: Measurement) -> float | Skipped:
    """Seconds of audio in a second, at the median by that clock."""
    return audio_rate(result.workload, measurement.median)


def percent_of_ceiling(
    report: Report, result: Result, measurement: Measurement | Skipped
) -> float | Skipped:
    """GFLOP/s over the matrix product's in its precision on the device that ran it, %."""
    if isinstance(measurement, Skipped):
        return measurement
    ceiling = ceiling_of(report, result)
    if isinstance(ceiling, Skipped):
        return ceiling
    return 100 * gflop_per_second(result, measurement) / ceiling.gflop_per_second


def intensity(result: Result) -> float | Skipped:
    """FLOPs for each byte that must be moved."""
    if not result.bytes_moved or not result.flops:
        return Skipped("the bytes that it moves were not counted")
    return result.flops / result.bytes_moved


def all_ceilings(report: Report) -> tuple[Ceiling, ...]:
    """Of every device and precision that was measured, each once."""
    found = (report.ceiling, report.gpu_ceiling, *report.ceilings)
    return tuple(dict.fromkeys(each for each in found if isinstance(each, Ceiling)))


def reach(ceiling: Ceiling, flops_per_byte: float) -> float:
    """The most GFLOP/s under a ceiling, by the product or by the copy, whichever binds."""
    return min(ceiling.gflop_per_second, ceiling.gb_per_second * flops_per_byte)


def ridge(ceiling: Ceiling) -> float:
    """FLOPs per byte above which the product binds and below which the copy does."""
    return ceiling.gflop_per_second / ceiling.gb_per_second
