"""A table of the GPU's state while it was timed."""

from collections.abc import Callable, Iterator

from bench.records import GpuMoment, Measurement, Report
from bench.render.table import Table, row_name

HEADER = ("row", "SM MHz", "memory MHz", "W", "°C", "other processes", "throttled")


def gpu_at_work(report: Report) -> Table:
    """A line for each clock of each row whose GPU was asked; ranges over its rounds."""
    title = "The GPU while it was timed, lowest to highest"
    return Table(title, HEADER, tuple(_rows(report)))


def _rows(report: Report) -> Iterator[tuple[str, ...]]:
    for result in report.results:
        for found in (result.measurement, result.device, result.end_to_end, result.throughput):
            if isinstance(found, Measurement) and isinstance(found.gpu, tuple):
                yield f"{row_name(result)}, {found.clock}", *_ranges(found.gpu), _why(found)


def _ranges(moments: tuple[GpuMoment, ...]) -> tuple[str, ...]:
    columns: tuple[Callable[[GpuMoment], float], ...] = (
        lambda moment: moment.sm_mhz,
        lambda moment: moment.memory_mhz,
        lambda moment: moment.watts,
        lambda moment: moment.celsius,
        lambda moment: moment.other_processes,
    )
    return tuple(_range([column(moment) for moment in moments]) for column in columns)


def _range(values: list[float]) -> str:
    low, high = (f"{extreme(values):.0f}" for extreme in (min, max))
    return low if low == high else f"{low} to {high}"


def _why(found: Measurement) -> str:
    return ", ".join(found.throttled) or "no"
