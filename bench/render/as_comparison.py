"""Two reports compared, in the terminal and as JSON."""

from dataclasses import asdict
from itertools import groupby
from typing import Any

from pydantic_core import to_json
from rich.console import Console
from rich.text import Text

from bench.compare.verdicts import REGRESSIONS, Cell, Change, Comparison
from bench.render.as_table import draw, warn
from bench.render.names import full_name
from bench.render.table import EMPTY, Table

HEADER = ("backend", "clock", "A ms", "B ms", "B / A", "95 % interval", "verdict")


def print_comparison(comparison: Comparison, console: Console | None = None) -> None:
    """Print warnings, a table for each workload, the notes and the sum, on standard output."""
    console = console or Console()
    warn(comparison.warnings, console)
    for table in tables(comparison):
        draw(table, console)
    for note in comparison.notes:
        console.print(Text(note, style="dim"))
    console.print(Text(summary(comparison), style="bold"))


def summary(comparison: Comparison) -> str:
    """How many cells have which verdict, and what counts as a regression."""
    verdicts = [cell.verdict for cell in comparison.cells]
    counts = ", ".join(f"{verdicts.count(each)} {each}" for each in dict.fromkeys(verdicts))
    count = len(comparison.regressions)
    regressions = f"{count or 'no'} regression{'' if count == 1 else 's'}"
    rule = " and ".join(REGRESSIONS)
    return f"{regressions} ({rule}) at {100 * comparison.threshold:g} %: {counts}"


def tables(comparison: Comparison) -> tuple[Table, ...]:
    """One for each workload: a row for each backend."""
    groups = groupby(comparison.cells, key=lambda cell: full_name(cell.workload))
    return tuple(_table(name, tuple(cells)) for name, cells in groups)


def dump(comparison: Comparison) -> bytes:
    """Every number and every verdict."""
    told = {
        "threshold": comparison.threshold,
        "regressions": len(comparison.regressions),
        "warnings": comparison.warnings,
        "notes": comparison.notes,
        "cells": [_record(cell) for cell in comparison.cells],
    }
    return to_json(told, indent=2)


def _table(name: str, cells: tuple[Cell, ...]) -> Table:
    remarks = []
    for cell in cells:
        reason = () if isinstance(cell.outcome, Change) else (cell.outcome.reason,)
        remarks += [f"{cell.backend}: {remark}" for remark in (*reason, *cell.remarks)]
    return Table(name, HEADER, tuple(map(_row, cells)), tuple(remarks))


def _row(cell: Cell) -> tuple[str, ...]:
    change = cell.outcome
    if not isinstance(change, Change):
        return (cell.backend, *[EMPTY] * (len(HEADER) - 2), cell.verdict)
    ratio = change.ratio
    return (
        cell.backend,
        change.clock,
        f"{ratio.before * 1e3:.2f}",
        f"{ratio.after * 1e3:.2f}",
        f"{ratio.value:.3f}",
        f"{ratio.low:.3f} to {ratio.high:.3f}" if ratio.enough else EMPTY,
        cell.verdict,
    )


def _record(cell: Cell) -> dict[str, Any]:
    told = {"backend": cell.backend, "workload": asdict(cell.workload), "verdict": cell.verdict}
    if not isinstance(cell.outcome, Change):
        return {**told, "reason": cell.outcome.reason}
    ratio = cell.outcome.ratio
    return {
        **told,
        "clock": cell.outcome.clock,
        "before_seconds": ratio.before,
        "after_seconds": ratio.after,
        "ratio": ratio.value,
        "interval": (ratio.low, ratio.high) if ratio.enough else None,
        "by_rounds": ratio.by_rounds,
        "remarks": cell.remarks,
    }
