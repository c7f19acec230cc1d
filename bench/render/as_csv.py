"""A report as comma-separated values: a line for each row and clock, by RFC 4180."""

import csv
from collections.abc import Iterator
from io import StringIO

from bench.machine.hardware import crowd
from bench.records import NOT_TAKEN, Clock, Measurement, Parity, Report, Result, Skipped
from bench.render.names import outputs_name
from bench.timing.speed import audio_seconds_per_second, gflop_per_second, percent_of_ceiling
from bench.timing.stopping import LEAST_SAMPLES

Cell = str | int | float

MIDDLE = ("n", "median_s", "ci_low_s", "ci_high_s", "mad_s", "min_s")
STATISTICS = (*MIDDLE, "p90_s", "p95_s", "p99_s", "max_s")
SPEEDS = ("gflop_per_s", "percent_of_ceiling", "x_real_time")
VERDICT = ("snr_db", "budget_db", "passed", "reason")
REST = ("pair", "outputs", "precision", "threads", "clock", *STATISTICS, *SPEEDS, *VERDICT)


def dump(report: Report) -> bytes:
    """A header and the lines, UTF-8; what was not measured is empty and has a reason."""
    page = StringIO()
    writer = csv.writer(page)
    axes = _axes(report)
    writer.writerow(("backend", "variant", *axes, *REST))
    writer.writerows(_line(report, axes, *each) for each in _timed(report))
    return page.getvalue().encode()


def _axes(report: Report) -> tuple[str, ...]:
    """Names of all axes, a column each."""
    return tuple(dict.fromkeys(name for row in report.results for name in row.workload.sizes))


def _timed(report: Report) -> Iterator[tuple[Result, Clock, Measurement | Skipped]]:
    """Every clock of every row; the call clock always, others if they were asked for."""
    for result in report.results:
        yield result, "call", result.measurement
        others: dict[Clock, Measurement | Skipped] = {
            "device": result.device,
            "end-to-end": result.end_to_end,
            "throughput": result.throughput,
        }
        for clock, found in others.items():
            if found not in (NOT_TAKEN, result.measurement):
                yield result, clock, found


def _line(
    report: Report,
    axes: tuple[str, ...],
    result: Result,
    clock: Clock,
    found: Measurement | Skipped,
) -> tuple[Cell, ...]:
    load = result.workload
    others = crowd([result.others])
    busy = () if others is None else (f"busy: {others}",)
    numbers: tuple[Cell, ...] = ("",) * (len(STATISTICS) + len(SPEEDS))
    if isinstance(found, Measurement):
        numbers = (*_statistics(found), *_speeds(report, result, found))
    return (
        result.backend,
        load.variant,
        *(load.sizes.get(axis, "") for axis in axes),
        _cell("pair" in load.views),
        outputs_name(load.views),
        load.precision,
        load.threads,
        clock,
        *numbers,
        *_parity(result.parity),
        found.reason if isinstance(found, Skipped) else ", ".join((*busy, *found.states)),
    )


def _statistics(found: Measurement) -> tuple[Cell, ...]:
    enough = found.count >= LEAST_SAMPLES
    percentiles = (found.percentile(percent) for percent in (90, 95, 99))
    return (
        found.count,
        found.median,
        *(found.interval if enough else ("", "")),
        found.mad,
        found.minimum,
        *("" if isinstance(value, Skipped) else value for value in percentiles),
        found.maximum,
    )


def _speeds(report: Report, result: Result, found: Measurement) -> tuple[Cell, ...]:
    share = percent_of_ceiling(report, result, found)
    audio = audio_seconds_per_second(result, found)
    return (
        gflop_per_second(result, found),
        "" if isinstance(share, Skipped) else share,
        "" if isinstance(audio, Skipped) else audio,
    )


def _parity(found: Parity | Skipped) -> tuple[Cell, ...]:
    if isinstance(found, Skipped):
        return ("", "", "")
    return (found.worst.snr_db, found.budget_db, _cell(found.passed))


def _cell(value: Cell) -> Cell:
    return str(value).lower() if isinstance(value, bool) else value
