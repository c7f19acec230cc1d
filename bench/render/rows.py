"""The cells of a report's table as text: one row per result, shared by every view."""

from bench.records import Measurement, Report, Result, Skipped

EMPTY = "-"

HEADER = (
    "network",
    "batch",
    "backend",
    "median ms",
    "95 % interval",
    "p90 ms",
    "n",
    "GFLOP/s",
    "% of ceiling",
    "x real time",
    "worst SNR dB",
    "PyTorch's dB",
    "prepare s",
    "remarks",
)
LEFT_ALIGNED = frozenset({"network", "backend", "remarks"})


def rows(report: Report) -> tuple[tuple[str, ...], ...]:
    """One row per result, in the columns of ``HEADER``."""
    return tuple(_row(result, report) for result in report.results)


def _row(result: Result, report: Report) -> tuple[str, ...]:
    load = result.workload
    name = f"{load.variant} (pair)" if load.pair else load.variant
    return (
        name,
        str(load.batch),
        result.backend,
        *_times(result.measurement),
        *_speeds(result, report),
        *_errors(result),
        _number(result.prepare_seconds, ".1f"),
        _remarks(result),
    )


def _times(measurement: Measurement | Skipped) -> tuple[str, ...]:
    if isinstance(measurement, Skipped):
        return (EMPTY,) * 4
    low, high = measurement.interval
    p90 = measurement.percentile(90)
    return (
        _milliseconds(measurement.median),
        f"{_milliseconds(low)} to {_milliseconds(high)}",
        "too few samples" if isinstance(p90, Skipped) else _milliseconds(p90),
        str(measurement.count),
    )


def _speeds(result: Result, report: Report) -> tuple[str, ...]:
    speed = result.gflop_per_second
    share = speed if isinstance(speed, Skipped) else 100 * speed / report.ceiling.gflop_per_second
    audio = result.audio_seconds_per_second(report.sample_rate)
    return (_number(speed, ".1f"), _number(share, ".0f"), _number(audio, ".1f"))


def _errors(result: Result) -> tuple[str, ...]:
    if isinstance(result.parity, Skipped):
        return (EMPTY,) * 2
    worst = result.parity.worst
    return (f"{worst.snr_db:.1f} ({worst.name})", f"{worst.torch_snr_db:.1f}")


def _remarks(result: Result) -> str:
    if isinstance(result.measurement, Skipped):
        return result.measurement.reason
    return ", ".join(result.measurement.states)


def _milliseconds(seconds: float) -> str:
    return f"{seconds * 1e3:.2f}"


def _number(value: float | Skipped, form: str) -> str:
    return EMPTY if isinstance(value, Skipped) else format(value, form)
