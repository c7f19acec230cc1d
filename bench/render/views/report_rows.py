"""A report for a spreadsheet: a line for each row and clock, its numbers raw."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from bench.hardware import crowd
from bench.hole import NOT_TAKEN, Skipped, known
from bench.names import outputs_name
from bench.records import Clock, Measurement, Report, Result
from bench.render.document import Column, Table, Value
from bench.timing.speed import audio_seconds_per_second, gflop_per_second, percent_of_ceiling


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
        Column("backend", "result.backend"),
        Column("variant", "result.workload.variant"),
        *map(_axis, axes),
        Column("pair", lambda line: "pair" in line.result.workload.views),
        Column("outputs", lambda line: outputs_name(line.result.workload.views)),
        Column("precision", "result.workload.precision"),
        Column("threads", "result.workload.threads"),
        Column("clock", "clock"),
        Column("n", "found.count"),
        Column("median_s", "found.median"),
        Column("ci_low_s", "found.sure_interval.0"),
        Column("ci_high_s", "found.sure_interval.1"),
        Column("mad_s", "found.mad"),
        Column("min_s", "found.minimum"),
        *map(_percentile, (90, 95, 99)),
        Column("max_s", "found.maximum"),
        _measured("gflop_per_s", gflop_per_second),
        _measured("percent_of_ceiling", lambda r, m: percent_of_ceiling(report, r, m)),
        _measured("x_real_time", audio_seconds_per_second),
        Column("real_time_factor", "result.real_time_factor"),
        Column("first_audio_s", "result.first_audio_cold"),
        Column("snr_db", "result.parity.worst.snr_db"),
        Column("log_mel", "result.parity.worst.log_mel"),
        Column("torch_log_mel", "result.parity.worst.torch_log_mel"),
        Column("budget_db", "result.parity.budget_db"),
        Column("passed", "result.parity.passed"),
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


def _percentile(percent: int) -> Column:
    return _measured(f"p{percent}_s", lambda _, found: found.percentile(percent))


def _measured(name: str, of: Callable[[Result, Measurement], Value]) -> Column:
    return Column(name, lambda line: known(line.found, lambda m: of(line.result, m)))


def _reason(line: Line) -> str:
    if isinstance(line.found, Skipped):
        return line.found.reason
    others = crowd([line.result.others])
    return ", ".join((*([] if others is None else [f"busy: {others}"]), *line.found.states))
