"""Two reports compared, as a document and as a record for JSON."""

from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from bench.compare.ratio import Ratio
from bench.compare.verdicts import REGRESSIONS, Cell, Change, Comparison
from bench.names import full_name, grouped
from bench.render.document import Column, Document, Table, Verdict, ms


def document(comparison: Comparison) -> Document:
    """A table for each workload, and how many regressions there are."""
    columns = (
        Column("backend", "backend"),
        Column("clock", "change.clock", spare=3),
        ms("A ms", "change.ratio.before", spare=1),
        ms("B ms", "change.ratio.after", spare=2),
        Column("B / A", "change.ratio.value", "{:.3f}"),
        Column("95 % interval", _interval, "{0.low:.3f} to {0.high:.3f}", spare=4),
        Column("verdict", "verdict"),
    )
    workloads = grouped(comparison.cells, lambda cell: full_name(cell.workload))
    return Document(
        title="hifi-bench compare",
        facts=comparison.notes,
        summary=tuple(
            Table(name, columns, tuple(cells), tuple(_remarks(cells)))
            for name, cells in workloads.items()
        ),
        warnings=comparison.warnings,
        verdicts=(_verdict(comparison),),
    )


def record(comparison: Comparison) -> dict[str, Any]:
    """Every number and every verdict."""
    return {
        "threshold": comparison.threshold,
        "regressions": len(comparison.regressions),
        "warnings": comparison.warnings,
        "notes": comparison.notes,
        "cells": [_record(cell) for cell in comparison.cells],
    }


def _verdict(comparison: Comparison) -> Verdict:
    """How many cells have which verdict, and what counts as a regression."""
    verdicts = [cell.verdict for cell in comparison.cells]
    counts = ", ".join(f"{verdicts.count(each)} {each}" for each in dict.fromkeys(verdicts))
    count = len(comparison.regressions)
    regressions = f"{count or 'no'} regression{'' if count == 1 else 's'}"
    rule = f"({' and '.join(REGRESSIONS)}) at {100 * comparison.threshold:g} %"
    return Verdict(f"{regressions} {rule}: {counts}", good=count == 0)


def _remarks(cells: list[Cell]) -> Iterator[str]:
    for cell in cells:
        reason = () if isinstance(cell.outcome, Change) else (cell.outcome.reason,)
        yield from (f"{cell.backend}: {remark}" for remark in (*reason, *cell.remarks))


def _interval(cell: Cell) -> Ratio | None:
    return cell.change.ratio if cell.change and cell.change.ratio.enough else None


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
