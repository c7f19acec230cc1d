"""A table of text and how its cells are written, whatever it is about."""

from dataclasses import dataclass

from bench.records import Result, Skipped
from bench.render.names import workload_name

EMPTY = "-"


@dataclass(frozen=True)
class Table:
    """A table whose first column names its rows; the others are numbers or settings.

    Attributes:
        title: above it.
        header: one text per column.
        rows: texts.
        remarks: below it, a line each.
    """

    title: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    remarks: tuple[str, ...] = ()


def row_name(result: Result) -> str:
    """A backend and what it ran."""
    return f"{result.backend} on {workload_name(result.workload)}"


def milliseconds(seconds: float) -> str:
    """Without the unit, which stands above the column."""
    return f"{seconds * 1e3:.2f}"


def number(value: float | Skipped, form: str) -> str:
    """A number, or the sign for a hole."""
    return EMPTY if isinstance(value, Skipped) else format(value, form)
