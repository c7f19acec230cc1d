"""A report as a document: latency first, then what explains it."""

from collections.abc import Callable

from bench.names import outputs_name
from bench.records import Report, Workload
from bench.render import charts_parity
from bench.render.charts_latency import latency_charts
from bench.render.charts_roofline import left_out, roofline_charts
from bench.render.charts_samples import MOST_POINTS, sample_charts
from bench.render.document import Document, Section, filled
from bench.render.views import machine
from bench.render.views.latency import latency
from bench.render.views.report_rows import rows
from bench.render.views.report_tables import (
    costs,
    gpu_at_work,
    layers,
    parity,
    proofs,
    samples,
    settings,
    skipped,
)
from bench.render.views.speedups import together
from hifigan_ref.network import in_words

BY_BATCH = "Whiskers are the 95 % interval of the median, where there are six samples or more."
SAMPLES = (
    "A box holds half of the samples; rounds lie below each other. At most"
    f" {MOST_POINTS} samples of a row are drawn, evenly spaced."
)
ROOFLINE = "A row under the slope waits for memory, one under the flat part for arithmetic."
BOUND = (
    "GB/s: of what layers must move; % bound: the least time that the peaks allow, of the median"
)


def document(report: Report) -> Document:
    """Speeds, latencies and layers in short; the whole record in sections."""
    parts = sections(report)
    short = (each for each in parts if each.title in ("Latency", "Layers"))
    return Document(
        title=f"hifi-bench, {report.created}",
        facts=facts(report),
        summary=tuple(table for each in short for table in (*each.tables, *each.folded)),
        sections=parts,
        tool=report.tool,
        warnings=machine.warnings(result.others for result in report.results),
        flat=rows(report),
    )


def sections(report: Report) -> tuple[Section, ...]:
    """In the order of the page, those with nothing in them left out."""
    checked = (settings(report), proofs(report))
    by_output = tuple(charts_parity.parity_charts(report))
    every = (
        Section("Latency", tables=(*together(report), *latency(report))),
        Section("Latency by batch", BY_BATCH, tuple(latency_charts(report))),
        Section("Samples", SAMPLES, tuple(sample_charts(report)), folded=filled(samples(report))),
        Section("Costs", tables=filled(costs(report), gpu_at_work(report))),
        Section("Roofline", ROOFLINE, tuple(roofline_charts(report)), left_out(report)),
        Section("Parity", charts_parity.LEAD, by_output, folded=parity(report)),
        Section("Layers", folded=layers(report)),
        Section("Settings and proofs", tables=filled(*checked)),
        Section("Skipped", tables=filled(skipped(report))),
        Section("Machine", tables=(machine.table(report),)),
    )
    return tuple(each for each in every if each.filled)


def facts(report: Report) -> tuple[str, ...]:
    """Machine, peaks, workload and notes, a line each."""
    return (
        *machine.lines(report.machine),
        *machine.peaks(report),
        _workload(report),
        "median ms: latency by the host clock, one call after the other; ± %: its 95 % interval",
        *([BOUND] if any(result.bytes_moved for result in report.results) else []),
        "SNR dB: of the worst output against float64; torch dB: PyTorch's own in that precision",
        *report.notes,
    )


def _workload(report: Report) -> str:
    loads = [result.workload for result in report.results]

    def every(tell: Callable[[Workload], object]) -> str:
        return ", ".join(sorted({str(tell(load)) for load in loads}))

    lengths, source = every(lambda load: in_words(load.sizes)), every(lambda load: load.source)
    outputs = every(lambda load: outputs_name(load.views))
    weights, threads = every(lambda load: load.weights), every(lambda load: load.threads)
    signal = f"{lengths} at {report.sample_rate} Hz from {source}"
    return f"{signal}; outputs: {outputs}; weights: {weights}; threads: {threads}"
