"""A report as tables of text, shared by every view: latency, samples, parity, settings."""

from collections.abc import Iterable
from dataclasses import replace
from itertools import groupby

from bench.choice import has_lowering
from bench.machine.bound import bound_share, ceiling_of, gb_per_second
from bench.machine.hardware import crowd
from bench.records import (
    NOT_TAKEN,
    Ceiling,
    Measurement,
    Parity,
    Report,
    Result,
    Skipped,
    Workload,
)
from bench.render.names import workload_name
from bench.render.table import EMPTY, Table, milliseconds, number, row_name
from bench.timing.profiler import why_untimed
from bench.timing.stopping import LEAST_SAMPLES

__all__ = ["Table", "latency", "parity", "samples", "settings"]

ABOVE_PEAK = "above the peak: the machine was slower when that was measured"
FEWER_PRODUCTS = "above the peak: its rewrites need fewer products than are counted"
ABOVE_BOUND = "above the bound: caches held what it counts as moved, or the machine was slower then"
REPEATS_FASTER = 1.1  # of the median with rotating inputs
TOO_FEW = "too few"


def latency(report: Report) -> tuple[Table, ...]:
    """One table for each workload: a row for each backend."""
    return tuple(_latency(load, results, report) for load, results in _by_workload(report))


def samples(report: Report) -> Table:
    """Every statistic of every measurement by every clock, in milliseconds."""
    measured = [
        (f"{row_name(r)}, {m.clock}", m)
        for r in report.results
        for m in (r.measurement, r.device, r.end_to_end, r.throughput)
        if isinstance(m, Measurement)
    ]
    rows = [(name, *_statistics(m)) for name, m in measured]
    header = ("row", "n", "min", "median", "MAD", "p90", "p95", "p99", "max", "CV %")
    more = ("warm-up calls", "warm-up s")
    return Table("Samples, ms", header + more, tuple(rows))


def parity(report: Report) -> tuple[Table, ...]:
    """One table for each result: a row for each output."""
    compared = [(row_name(r), r.parity) for r in report.results]
    return tuple(_parity(name, p) for name, p in compared if isinstance(p, Parity))


def settings(report: Report) -> Table:
    """What each backend says of itself, once."""
    told = {result.backend: result.settings for result in report.results if result.settings}
    rows = [
        (backend, ", ".join(f"{key} {value}" for key, value in held.items()))
        for backend, held in told.items()
    ]
    return Table("Settings, as read back", ("backend", "settings"), tuple(rows))


def _by_workload(report: Report) -> Iterable[tuple[Workload, list[Result]]]:
    # precisions of one workload stand in one table: the row's name tells them
    groups = groupby(report.results, key=lambda r: replace(r.workload, precision="fp32"))
    return ((load, list(results)) for load, results in groups)


def _latency(load: Workload, results: list[Result], report: Report) -> Table:
    on_gpu = any(isinstance(result.device, Measurement) for result in results)
    counted = any(result.bytes_moved for result in results)  # not in an older report
    header = (
        "backend",
        "median ms",
        "± %",
        *(("device ms", "end-to-end ms") if on_gpu else ()),
        "GFLOP/s",
        *(("GB/s",) if counted else ()),
        "% peak",
        *(("% bound",) if counted else ()),
        "x real time",
        "SNR dB",
        "torch dB",
        "prepare s",
    )
    remarks = [f"{r.backend}: {remark}" for r in results if (remark := _remark(r, report))]
    title = f"{workload_name(load)}, {results[0].flops / 1e9:.2f} GFLOP"
    return Table(
        title, header, tuple(_row(r, report, on_gpu, counted) for r in results), tuple(remarks)
    )


def _row(result: Result, report: Report, on_gpu: bool, counted: bool) -> tuple[str, ...]:
    measurement = result.measurement
    speed = result.gflop_per_second
    ceiling = ceiling_of(report, result)
    share: float | Skipped = NOT_TAKEN
    if isinstance(speed, float) and isinstance(ceiling, Ceiling):
        share = 100 * speed / ceiling.gflop_per_second
    errors = (EMPTY, EMPTY)
    if isinstance(result.parity, Parity):
        worst = result.parity.worst
        errors = (f"{worst.snr_db:.1f}", f"{worst.torch_snr_db:.1f}")
    times = (EMPTY, EMPTY)
    if isinstance(measurement, Measurement):
        low, high = measurement.interval
        middle = measurement.median
        half = max(high - middle, middle - low) / middle
        enough = measurement.count >= LEAST_SAMPLES
        times = (milliseconds(middle), f"{100 * half:.1f}" if enough else EMPTY)
    return (
        result.backend,
        *times,
        *((_median(result.device), _median(result.end_to_end)) if on_gpu else ()),
        number(speed, ".1f"),
        *((number(gb_per_second(result), ".1f"),) if counted else ()),
        number(share, ".0f"),
        *((number(bound_share(report, result), ".0f"),) if counted else ()),
        number(result.audio_seconds_per_second, ".1f"),
        *errors,
        number(result.prepare_seconds, ".1f"),
    )


def _median(measurement: Measurement | Skipped) -> str:
    return EMPTY if isinstance(measurement, Skipped) else milliseconds(measurement.median)


def _statistics(measurement: Measurement) -> tuple[str, ...]:
    percentiles = [measurement.percentile(percent) for percent in (90, 95, 99)]
    return (
        str(measurement.count),
        milliseconds(measurement.minimum),
        milliseconds(measurement.median),
        milliseconds(measurement.mad),
        *(TOO_FEW if isinstance(p, Skipped) else milliseconds(p) for p in percentiles),
        milliseconds(measurement.maximum),
        f"{100 * measurement.variation:.1f}",
        str(measurement.warmup_calls),
        f"{measurement.warmup_seconds:.1f}",
    )


def _parity(name: str, found: Parity) -> Table:
    header = ("output", "SNR dB", "torch dB", "max abs", "max / RMS", "1 - cosine")
    rows = [
        (
            output.name,
            f"{output.snr_db:.1f}",
            f"{output.torch_snr_db:.1f}",
            f"{output.max_abs:.1e}",
            f"{output.max_relative:.1e}",
            f"{1 - output.cosine:.1e}",
        )
        for output in found.outputs
    ]
    verdict = "passed" if found.passed else "FAILED"
    title = f"Parity of {name}: {verdict}, budget {found.budget_db:g} dB"
    return Table(title, header, tuple(rows))


def _remark(result: Result, report: Report) -> str:
    if isinstance(result.measurement, Skipped):
        return result.measurement.reason
    others = crowd([result.others])
    states = [] if others is None else [f"busy: {others}"]
    states += [*result.measurement.states, *_throttled_beside(result, result.measurement)]
    speed = result.gflop_per_second
    ceiling = ceiling_of(report, result)
    share = bound_share(report, result)
    if isinstance(speed, float) and isinstance(ceiling, Ceiling):
        if speed > ceiling.gflop_per_second:
            states.append(FEWER_PRODUCTS if has_lowering(result.backend) else ABOVE_PEAK)
        elif isinstance(share, float) and share > 100:
            states.append(ABOVE_BOUND)
    gain = result.repeat_gain
    if isinstance(gain, float) and gain > REPEATS_FASTER:
        states.append(f"the same input again is {100 * (gain - 1):.0f} % faster")
    untimed = why_untimed(result)
    return ", ".join([*states, f"no times of its layers: {untimed}"] if untimed else states)


def _throttled_beside(result: Result, timed: Measurement) -> list[str]:
    """Clocks whose GPU was slowed down when that of the call clock was not."""
    others = (result.device, result.end_to_end, result.throughput)
    slowed = [m for m in others if isinstance(m, Measurement) and m.throttled]
    return [] if timed.throttled else [f"{m.clock} {m.states[-1]}" for m in slowed]
