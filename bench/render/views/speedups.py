"""How many times as fast as another row, with its interval: of several networks together."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from bench.compare.ratio import Ratio, ratio_of_sums
from bench.hole import NOT_TAKEN, Skipped
from bench.names import grouped, workload_name
from bench.records import Measurement, Report, Result
from bench.render.document import Column, Table, ms

PEERS = ("torch", "torch-cuda")  # PyTorch as most people run it
INTERVAL = "{0.value:.2f}x ({0.low:.2f} to {0.high:.2f})"

Rows = Sequence[Result]
"""Of one backend, a row for each network."""


def together(report: Report) -> tuple[Table, ...]:
    """A table for each shape that several networks were run in, where PyTorch ran too."""
    shapes = grouped(
        report.results, lambda row: replace(row.workload, variant="", precision="fp32")
    )
    return tuple(table for rows in shapes.values() for table in _together(rows))


def complete(results: Rows, name: Callable[[Result], str]) -> dict[str, Rows]:
    """Rows of each name that every network has."""
    networks = {row.workload.variant for row in results}
    every = grouped(results, name)
    return {each: rows for each, rows in every.items() if len(rows) == len(networks)}


def speedups(rows: Mapping[str, Rows], peers: Mapping[str, str]) -> Table:
    """A line for each name: times of networks are added before they are compared.

    Args:
        rows: by name, those of all networks.
        peers: headings and names of the rows that all are compared with; one may be missing.
    """
    networks = dict.fromkeys(row.workload.variant for each in rows.values() for row in each)
    load = replace(next(iter(rows.values()))[0].workload, variant=" + ".join(networks))
    columns = (
        Column("backend", "0"),
        ms("median ms", lambda named: _total(named[1])),
        *(_times(heading, rows.get(peer, ())) for heading, peer in peers.items()),
        Column("SNR dB", lambda named: _worst(named[1]), "{:.1f}", spare=1),
    )
    title = f"{workload_name(load)}: how many times as fast"
    return Table(title, columns, tuple(rows.items()))


def _together(results: Rows) -> list[Table]:
    backends = complete(results, lambda row: row.backend)
    peer = next((name for name in backends if name in PEERS), None)
    return [speedups(backends, {peer: peer})] if peer and len(backends[peer]) > 1 else []


def _times(heading: str, slow: Rows) -> Column:
    return Column(f"times {heading}", lambda named: _ratio(slow, named[1]), INTERVAL)


def _ratio(slow: Rows, fast: Rows) -> Ratio | Skipped:
    old, new = _taken(slow), _taken(fast)
    return ratio_of_sums(new, old) if old and new else NOT_TAKEN


def _total(rows: Rows) -> float | Skipped:
    """Sum of the networks' medians, seconds."""
    return sum(each.median for each in _taken(rows)) or NOT_TAKEN


def _worst(rows: Rows) -> float | Skipped:
    """SNR of the worst output of all networks, dB, or nothing where one network has none."""
    found = [each.parity.worst.snr_db for each in rows if not isinstance(each.parity, Skipped)]
    return min(found) if found and len(found) == len(rows) else NOT_TAKEN


def _taken(rows: Rows) -> list[Measurement]:
    """What was measured, or nothing where one network was not."""
    taken = [each.measurement for each in rows if isinstance(each.measurement, Measurement)]
    return taken if len(taken) == len(rows) else []
