"""How many times as fast as another row: of several networks together, with its interval."""

from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import replace

from bench.compare.ratio import ratio_of_sums
from bench.records import Measurement, Report, Result, Skipped
from bench.render.names import workload_name
from bench.render.table import EMPTY, Table, milliseconds

PEERS = ("torch", "torch-cuda")  # PyTorch as most people run it

Rows = Sequence[Result]
"""Of one backend, a row for each network."""


def together(report: Report) -> tuple[Table, ...]:
    """A table for each shape that several networks were run in, where PyTorch ran too."""
    return tuple(table for rows in _by_shape(report.results) for table in _together(rows))


def median_of(rows: Rows) -> str:
    """Sum of the networks' medians, ms."""
    taken = _taken(rows)
    return milliseconds(sum(each.median for each in taken)) if taken else EMPTY


def times_of(slow: Rows, fast: Rows) -> str:
    """How many times as fast, and its 95 % interval."""
    old, new = _taken(slow), _taken(fast)
    if not old or not new:
        return EMPTY
    found = ratio_of_sums(new, old)
    return f"{found.value:.2f}x ({found.low:.2f} to {found.high:.2f})"


def worst_of(rows: Rows) -> str:
    """SNR of the worst output of all networks, dB, or nothing where one network has none."""
    found = [each.parity.worst.snr_db for each in rows if not isinstance(each.parity, Skipped)]
    return f"{min(found):.1f}" if found and len(found) == len(rows) else EMPTY


def _by_shape(results: Iterable[Result]) -> Iterable[Rows]:
    return _grouped(results, lambda row: replace(row.workload, variant="", precision="fp32"))


def _together(results: Rows) -> list[Table]:
    networks = list(dict.fromkeys(row.workload.variant for row in results))
    every = _grouped(results, lambda row: row.backend)
    backends = {rows[0].backend: rows for rows in every if len(rows) == len(networks)}
    peer = next((name for name in backends if name in PEERS), None)
    if peer is None or len(networks) < 2:
        return []
    name = workload_name(replace(results[0].workload, variant=" + ".join(networks)))
    header = ("backend", "median ms", f"times {peer}", "SNR dB")
    lines = [
        (backend, median_of(rows), times_of(backends[peer], rows), worst_of(rows))
        for backend, rows in backends.items()
    ]
    return [Table(f"{name}: how many times as fast", header, tuple(lines))]


def _grouped(results: Iterable[Result], key: Callable[[Result], Hashable]) -> Iterable[Rows]:
    """Those alike side by side, in the order of the first of each."""
    found: dict[Hashable, list[Result]] = {}
    for result in results:
        found.setdefault(key(result), []).append(result)
    return found.values()


def _taken(rows: Rows) -> list[Measurement]:
    """What was measured, or nothing where one network was not."""
    taken = [each.measurement for each in rows if isinstance(each.measurement, Measurement)]
    return taken if len(taken) == len(rows) else []
