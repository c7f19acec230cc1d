"""A report for a spreadsheet: a line for each row and clock, its numbers raw."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from bench.hole import NOT_TAKEN, Skipped, known
from bench.machine.hardware import crowd
from bench.records import Clock, Measurement, Report, Result
from bench.render.document import Column, Table, Value
from bench.render.names import outputs_name
from bench.timing.speed import audio_seconds_per_second, gflop_per_second, percent_of_ceiling
from bench.timing.stopping import LEAST_SAMPLES


@dataclass(frozen=True)
class Line:
    """A clock of a row.

    Attributes:
        result: the row.
        clock: that was asked for.
        found: by it.
    """

    result: Result
    clock: Clock
    found: Measurement | Skipped


def rows(report: Report) -> Table:
    """What was not measured is empty and has a reason."""
    axes = dict.fromkeys(name for row in report.results for name in row.workload.sizes)
    columns = (
        Column("backend", lambda line: line.result.backend),
        Column("variant", lambda line: line.result.workload.variant),
        *map(_axis, axes),
        Column("pair", lambda line: "pair" in line.result.workload.views),
        Column("outputs", lambda line: outputs_name(line.result.workload.views)),
        Column("precision", lambda line: line.result.workload.precision),
        Column("threads", lambda line: line.result.workload.threads),
        Column("clock", lambda line: line.clock),
        _measured("n", lambda m: m.count),
        _measured("median_s", lambda m: m.median),
        _measured("ci_low_s", lambda m: m.interval[0] if m.count >= LEAST_SAMPLES else None),
        _measured("ci_high_s", lambda m: m.interval[1] if m.count >= LEAST_SAMPLES else None),
        _measured("mad_s", lambda m: m.mad),
        _measured("min_s", lambda m: m.minimum),
        *map(_percentile, (90, 95, 99)),
        _measured("max_s", lambda m: m.maximum),
        _speed("gflop_per_s", gflop_per_second),
        _speed("percent_of_ceiling", lambda r, m: percent_of_ceiling(report, r, m)),
        _speed("x_real_time", audio_seconds_per_second),
        Column("snr_db", lambda line: known(line.result.parity, lambda p: p.worst.snr_db)),
        Column("budget_db", lambda line: known(line.result.parity, lambda p: p.budget_db)),
        Column("passed", lambda line: known(line.result.parity, lambda p: p.passed)),
        Column("reason", _reason),
    )
    return Table("rows", columns, tuple(_lines(report)))


def _lines(report: Report) -> Iterator[Line]:
    """Every clock of every row; the call clock always, others if they were asked for."""
    for result in report.results:
        yield Line(result, "call", result.measurement)
        others: dict[Clock, Measurement | Skipped] = {
            "device": result.device,
            "end-to-end": result.end_to_end,
            "throughput": result.throughput,
        }
        for clock, found in others.items():
            if found not in (NOT_TAKEN, result.measurement):
                yield Line(result, clock, found)


def _axis(name: str) -> Column:
    return Column(name, lambda line: line.result.workload.sizes.get(name))


def _measured(name: str, of: Callable[[Measurement], Value]) -> Column:
    return Column(name, lambda line: known(line.found, of))


def _percentile(percent: int) -> Column:
    return _measured(f"p{percent}_s", lambda m: m.percentile(percent))


def _speed(name: str, of: Callable[[Result, Measurement], Value]) -> Column:
    return Column(name, lambda line: known(line.found, lambda m: of(line.result, m)))


def _reason(line: Line) -> str:
    if isinstance(line.found, Skipped):
        return line.found.reason
    others = crowd([line.result.others])
    return ", ".join((*([] if others is None else [f"busy: {others}"]), *line.found.states))
