"""What a row costs beside its latency: its start, memory and energy; and what was checked."""

from bench.records import ColdStart, Report, Result, Skipped
from bench.render.table import EMPTY, Table, number, row_name

HEADER = (
    "row",
    "import s",
    "prepare s",
    "first call s",
    "process MB",
    "GPU MB",
    "J per item",
    "checked passes",
    "repeat gain",
)


def costs(report: Report) -> Table:
    """A line for each row whose process told its start."""
    started = [r for r in report.results if isinstance(r.cold_start, ColdStart)]
    return Table("Cold start, memory, energy", HEADER, tuple(map(_row, started)))


def _row(result: Result) -> tuple[str, ...]:
    cold = result.cold_start
    assert isinstance(cold, ColdStart)
    return (
        row_name(result),
        f"{cold.imported:.2f}",
        f"{cold.prepared:.2f}",
        f"{cold.first_call:.3f}",
        _megabytes(result.peak_memory_bytes),
        _megabytes(result.device_memory_bytes),
        number(result.joules_per_item, ".3f"),
        str(result.checked),
        number(result.repeat_gain, ".2f"),
    )


def _megabytes(value: int | Skipped) -> str:
    return EMPTY if isinstance(value, Skipped) else f"{value / 1e6:.0f}"
