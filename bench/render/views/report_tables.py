"""Everything that a report tells beside latency: statistics, errors, costs, proofs, layers."""

from collections.abc import Callable
from dataclasses import fields
from typing import NamedTuple

from bench.machine.bound import ceiling_of, percent_of_bound, profiled_seconds
from bench.names import row_name
from bench.records import (
    NOT_TAKEN,
    Ceiling,
    ColdStart,
    GpuMoment,
    Layer,
    Measurement,
    Parity,
    Report,
    Result,
    Skipped,
)
from bench.render.document import Column, Table, ms, plain


def samples(report: Report) -> Table:
    """Every statistic of every measurement by every clock."""
    columns = (
        Column("row", _clock_name),
        Column("n", "1.count"),
        ms("min", "1.minimum"),
        ms("median", "1.median"),
        ms("MAD", "1.mad"),
        *(_percentile(percent) for percent in (90, 95, 99)),
        ms("max", "1.maximum"),
        Column("CV %", "1.variation", "{:.1f}", 100),
        Column("warm-up calls", "1.warmup_calls"),
        Column("warm-up s", "1.warmup_seconds", "{:.1f}"),
    )
    return Table("Samples, ms", columns, _by_clock(report))


def gpu_at_work(report: Report) -> Table:
    """The GPU's state by each clock of each row where it was asked; ranges over the rounds."""
    columns = (
        Column("row", _clock_name),
        _range("SM MHz", lambda moment: moment.sm_mhz),
        _range("memory MHz", lambda moment: moment.memory_mhz),
        _range("W", lambda moment: moment.watts),
        _range("°C", lambda moment: moment.celsius),
        _range("other processes", lambda moment: moment.other_processes),
        Column("throttled", lambda row: ", ".join(row[1].throttled) or "no"),
    )
    asked = tuple(each for each in _by_clock(report) if isinstance(each[1].gpu, tuple))
    return Table("The GPU while it was timed, lowest to highest", columns, asked)


def parity(report: Report) -> tuple[Table, ...]:
    """One table for each result: a row for each output."""
    columns = (
        Column("output", "name"),
        Column("SNR dB", "snr_db", "{:.1f}"),
        Column("torch dB", "torch_snr_db", "{:.1f}"),
        Column("max abs", "max_abs", "{:.1e}"),
        Column("max / RMS", "max_relative", "{:.1e}"),
        Column("1 - cosine", lambda o: 1 - o.cosine, "{:.1e}"),
    )
    audible = (
        Column("log-mel", "log_mel", "{:.1e}"),
        Column("torch log-mel", "torch_log_mel", "{:.1e}"),
    )
    return tuple(
        Table(
            _parity_title(result, result.parity),
            (*columns, *audible) if result.workload.makes_audio else columns,
            result.parity.outputs,
        )
        for result in report.results
        if isinstance(result.parity, Parity)
    )


WARM = ms("warm audio ms", "first_audio_warm")


def costs(report: Report) -> Table:
    """A line for each row whose process told its start."""
    columns = (
        Column("row", row_name),
        Column("import s", "cold_start.imported", "{:.2f}"),
        Column("prepare s", "cold_start.prepared", "{:.2f}"),
        Column("first call s", "cold_start.first_call", "{:.3f}"),
        *((WARM,) if any(r.workload.makes_audio for r in report.results) else ()),
        Column("process MB", "peak_memory_bytes", "{:.0f}", 1e-6),
        Column("GPU MB", "device_memory_bytes", "{:.0f}", 1e-6),
        Column("J per item", "joules_per_item", "{:.3f}"),
        Column("checked passes", "checked"),
        Column("repeat gain", "repeat_gain", "{:.2f}"),
    )
    started = (r for r in report.results if isinstance(r.cold_start, ColdStart))
    return Table("Cold start, memory, energy", columns, tuple(started))


def settings(report: Report) -> Table:
    """What each backend says of itself, once."""
    told = {result.backend: result.settings for result in report.results if result.settings}
    rows = (
        (backend, ", ".join(f"{key} {value}" for key, value in held.items()))
        for backend, held in told.items()
    )
    return plain("Settings, as read back", ("backend", "settings"), rows)


def proofs(report: Report) -> Table:
    """Every claim of every row; one that does not hold makes the row INVALID."""
    rows = (
        (row_name(r), claim.what, claim.asked, claim.found, "yes" if claim.holds else "NO: INVALID")
        for r in report.results
        for claim in r.proof
    )
    return plain("Proof of execution", ("row", "claim", "asked", "found", "holds"), rows)


def skipped(report: Report) -> Table:
    """Each reason once, with everything that is missing for it."""
    missing: dict[tuple[str, str], list[str]] = {}
    for result in report.results:
        found: dict[str, list[str]] = {}
        for field in fields(result):
            value = getattr(result, field.name)
            if isinstance(value, Skipped) and value != NOT_TAKEN:
                found.setdefault(value.reason, []).append(field.name.replace("_", " "))
        for reason, what in found.items():
            missing.setdefault((", ".join(what), reason), []).append(row_name(result))
    every = len(report.results)
    rows = (
        (*pair, "; ".join(names) if len(names) < every else "every row")
        for pair, names in missing.items()
    )
    return plain("Skipped, and why", ("what", "reason", "rows"), rows)


def layers(report: Report) -> tuple[Table, ...]:
    """One table for each result whose layers were timed, in the order of the graph."""
    timed = (result for result in report.results if profiled_seconds(result.layers) > 0)
    return tuple(_layers(result, ceiling_of(report, result)) for result in timed)


def _layers(result: Result, ceiling: Ceiling | Skipped) -> Table:
    total = profiled_seconds(result.layers)

    def bound(layer: Layer) -> float | None:
        if not layer.bytes or not _seconds(layer) or isinstance(ceiling, Skipped):
            return None
        return percent_of_bound(_seconds(layer), [layer], ceiling)

    def speed(layer: Layer) -> float | None:
        return layer.flops / _seconds(layer) if layer.flops and _seconds(layer) else None

    columns = (
        Column("layer", "name"),
        Column("kind", "kind", spare=2),
        ms("ms", "seconds"),
        Column("share %", "seconds", "{:.1f}", 100 / total, spare=3),
        Column("GFLOP/s", speed, "{:.1f}", 1e-9, spare=1),
        Column("% bound", bound, "{:.0f}"),
    )
    within = (
        f"{layer.name}: {layer.seconds.reason}"
        for layer in result.layers
        if isinstance(layer.seconds, Skipped)
    )
    title = f"Layers of {row_name(result)}"
    return Table(title, columns, result.layers, (_sum(result, total), *within))


def _seconds(layer: Layer) -> float:
    return layer.seconds if isinstance(layer.seconds, float) else 0.0


def _sum(result: Result, total: float) -> str:
    told = f"sum {1e3 * total:.2f} ms"
    measured = next(
        (m for m in (result.device, result.measurement) if isinstance(m, Measurement)), None
    )
    if measured is not None:
        middle = measured.median
        share = f"{100 * total / middle:.0f} % of the median {1e3 * middle:.2f} ms"
        told += f", {share} without a profiler"
    return f"{told}: a profiler slows its runtime down, and counts no time between layers"


def _parity_title(result: Result, found: Parity) -> str:
    verdict = "passed" if found.passed else "FAILED"
    return f"Parity of {row_name(result)}: {verdict}, budget {found.budget_db:g} dB"


Clocked = tuple[Result, Measurement]


def _by_clock(report: Report) -> tuple[Clocked, ...]:
    return tuple((result, m) for result in report.results for m in result.clocks)


def _clock_name(row: Clocked) -> str:
    return f"{row_name(row[0])}, {row[1].clock}"


def _percentile(percent: int) -> Column:
    of, missing = (lambda row: row[1].percentile(percent)), "too few"
    return Column(f"p{percent}", of, "{:.2f}", 1e3, missing=missing)


def _range(name: str, of: Callable[[GpuMoment], float]) -> Column:
    def found(row: Clocked) -> Range:
        values = [of(moment) for moment in row[1].gpu]  # type: ignore[union-attr]
        return Range(min(values), max(values))

    return Column(name, found, "{:.0f}")


class Range(NamedTuple):
    """The lowest and the highest of some values."""

    low: float
    high: float

    def __format__(self, form: str) -> str:
        low, high = (format(each, form) for each in self)
        return low if low == high else f"{low} to {high}"
