"""A sweep before it runs: every cell, how many, and about how long."""

from collections.abc import Iterable, Sequence

from bench.names import full_name
from bench.sweep.part import SweepPart


def lines(parts: Sequence[SweepPart]) -> list[str]:
    """A line for each cell and one for the sum."""
    told = [
        f"{cell.backend:<20}  {full_name(cell.workload)}" for part in parts for cell in part.cells()
    ]
    return [*told, f"{_count(len(told))}, {_duration(parts)}"]


def _count(cells: int) -> str:
    return f"{cells} cell{'' if cells == 1 else 's'}"


def _duration(parts: Iterable[SweepPart]) -> str:
    pairs = [(part.seconds_per_cell(), sum(1 for _ in part.cells())) for part in parts]
    least = sum(seconds[0] * count for seconds, count in pairs)
    most = sum(seconds[1] * count for seconds, count in pairs)
    return f"about {_time(least)} to {_time(most)} without exporting and preparing"


def _time(seconds: float) -> str:
    if seconds < 60:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"
