"""The latency of every backend on a workload, beside what the machine could do, and its error."""

from collections.abc import Iterator

from bench.choice import has_lowering
from bench.hardware import crowd
from bench.hole import Skipped
from bench.machine.bound import bound_share, gb_per_second
from bench.names import by_workload, workload_name
from bench.records import Measurement, Report, Result, Workload
from bench.render.document import Column, Table, ms
from bench.timing.profiler import why_untimed
from bench.timing.speed import percent_of_ceiling

ABOVE_PEAK = "above the peak: the machine was slower when that was measured"
FEWER_PRODUCTS = "above the peak: its rewrites need fewer products than are counted"
ABOVE_BOUND = "above the bound: caches held what it counts as moved, or the machine was slower then"
REPEATS_FASTER = 1.1  # of the median with rotating inputs


HEARD = (
    "RTF: seconds of work for a second of audio; first audio: cold, loading and the first call; "
    "log-mel: mean absolute difference from float64"
)
LOG_MEL = Column("log-mel", "parity.worst.log_mel", "{:.1e}", spare=7)


def latency(report: Report) -> tuple[Table, ...]:
    """One table for each workload: a row for each backend."""
    return tuple(_table(*each, report) for each in by_workload(report.results).items())


def _table(load: Workload, results: list[Result], report: Report) -> Table:
    on_gpu = any(isinstance(result.device, Measurement) for result in results)
    counted = any(result.bytes_moved for result in results)  # not in an older report
    of_gpu = (
        ms("device ms", "device.median"),
        ms("end-to-end ms", "end_to_end.median"),
    )
    moved = Column("GB/s", gb_per_second, "{:.1f}", spare=1)
    bound = Column("% bound", lambda r: bound_share(report, r), "{:.0f}", spare=7)
    heard = (
        Column("RTF", "real_time_factor", "{:.3g}", spare=11),
        ms("first audio ms", "first_audio_cold", spare=10),
    )
    columns = (
        Column("backend", "backend"),
        ms("median ms", "measurement.median"),
        Column("± %", "measurement.uncertainty", "{:.1f}", 100, spare=8),
        *(of_gpu if on_gpu else ()),
        *(heard if load.makes_audio else ()),
        Column("GFLOP/s", "gflop_per_second", "{:.1f}", spare=5),
        *((moved,) if counted else ()),
        Column("% peak", lambda r: _peak_share(report, r), "{:.0f}", spare=3),
        *((bound,) if counted else ()),
        Column("x real time", "audio_seconds_per_second", "{:.1f}", spare=4),
        Column("SNR dB", "parity.worst.snr_db", "{:.1f}", spare=9),
        Column("torch dB", "parity.worst.torch_snr_db", "{:.1f}", spare=6),
        *((LOG_MEL,) if load.makes_audio else ()),
        Column("prepare s", "prepare_seconds", "{:.1f}", spare=2),
    )
    notes = [HEARD] if load.makes_audio else []
    notes += [f"{r.backend}: {told}" for r in results if (told := ", ".join(_remarks(r, report)))]
    title = f"{workload_name(load)}, {results[0].flops / 1e9:.2f} GFLOP"
    return Table(title, columns, tuple(results), tuple(notes))


def _peak_share(report: Report, result: Result) -> float | Skipped:
    return percent_of_ceiling(report, result, result.measurement)


def _remarks(result: Result, report: Report) -> Iterator[str]:
    """Why it has no speed, or what to know of it."""
    found = result.measurement
    if isinstance(found, Skipped):
        yield found.reason
        return
    others = crowd([result.others])
    if others is not None:
        yield f"busy: {others}"
    yield from found.states
    if not found.throttled:
        yield from (f"{each.clock} {each.states[-1]}" for each in result.clocks if each.throttled)
    peak, bound = _peak_share(report, result), bound_share(report, result)
    if isinstance(peak, float) and peak > 100:
        yield FEWER_PRODUCTS if has_lowering(result.backend) else ABOVE_PEAK
    elif isinstance(bound, float) and bound > 100 and not isinstance(peak, Skipped):
        yield ABOVE_BOUND
    gain = result.repeat_gain
    if isinstance(gain, float) and gain > REPEATS_FASTER:
        yield f"the same input again is {100 * (gain - 1):.0f} % faster"
    untimed = why_untimed(result)
    if untimed:
        yield f"no times of its layers: {untimed}"
