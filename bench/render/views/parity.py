"""Parity reports as a document: every output where it is worst, every shape, what it means."""

from collections.abc import Iterator, Sequence

from bench.hole import Skipped
from bench.names import grouped
from bench.parity.cases import NOISE_DB
from bench.parity.report import NO_SCORES, ONNXRUNTIME, ParityReport, Worst
from bench.records import Parity
from bench.render.charts import COLOURS
from bench.render.charts_parity import LEAD, Compared, parity_chart
from bench.render.document import Chart, Column, Document, Key, Section, Table, Verdict

MEANING = (
    f"y is speech, y_hat the same speech with seeded noise {NOISE_DB:.0f} dB below it",
    "each in the shape where its relative change is largest; torch: PyTorch in float32",
    "the score: its largest change, relative to the root mean square of all scores of the shape",
)
NUMBER = "{:.7g}"
HEARD = (
    Column("log-mel", "found.parity.log_mel", "{:.1e}"),
    Column("torch log-mel", "found.parity.torch_log_mel", "{:.1e}", spare=5),
)
WORD = {True: "pass", False: "FAIL"}


def document(reports: Sequence[ParityReport]) -> Document:
    """A section for each report."""
    sections = tuple(map(_section, reports))
    facts = dict.fromkeys(fact for report in reports for fact in _facts(report))
    names = (
        f"{each.file}, sha256 {each.sha256[:16]}: {each.variant}, weights: {each.weights}"
        for each in reports
    )
    return Document(
        title="hifi-bench parity",
        facts=(*names, *facts),
        summary=tuple(table for section in sections for table in section.tables),
        sections=sections,
        tool=reports[0].tool,
        verdicts=tuple(map(verdict, reports)),
    )


def verdict(report: ParityReport) -> Verdict:
    """Whether all is within the budget, and else where the first layer leaves it."""
    count, budget = len(report.cases), f"{report.budget_db:g} dB"
    where = f"{report.variant} {'PASSED' if report.passed else 'FAILED'}{_where(report)}"
    told = []
    if report.passed:
        told.append(f"no output leaves the budget of {budget} in {count} shapes")
    if report.holes:
        first, _ = report.holes[0]
        told.append(f"{len(report.holes)} of {count} shapes cannot be run, first {first.shape}")
    if report.failures:
        outputs = f"{len(report.failures)} of {len(report.outputs)} outputs"
        layer = report.failures[0]
        told.append(f"{outputs} leave the budget of {budget}, the first layer is {layer}")
    return Verdict(f"{where}: {'; '.join(told)}", report.passed)


def _section(report: ParityReport) -> Section:
    tables = (_outputs(report), *_layers(report), _shapes(report), *_meaning(report))
    title = f"{report.variant}: {report.file}{_where(report)}"
    return Section(title, LEAD, tuple(_charts(report)), tables=tables)


def _facts(report: ParityReport) -> Iterator[str]:
    torch = f"PyTorch {report.versions.get('torch', '')} in float64, as trained"
    runtime = f"{report.runtime} {report.versions.get(report.runtime, '')} on the CPU"
    yield f"{runtime} against {torch}"
    if report.precision != "fp32":
        how = "rounded where the file says, sums of 16 bits in float32"
        yield f"in {report.precision}: {how}; torch dB: PyTorch in that precision"
    yield f"speech: {report.source}"


def _where(report: ParityReport) -> str:
    return "" if report.runtime == ONNXRUNTIME else f" in {report.runtime}"


def _charts(report: ParityReport) -> Iterator[Chart]:
    """None where no case could be run."""
    if report.outputs:
        parity = Parity(report.budget_db, tuple(worst.found.parity for worst in report.outputs))
        line = Compared(Key(report.file, "●", COLOURS[0]), report.precision, parity)
        yield parity_chart("Each output in the shape where it is worst", [line])


def _layers(report: ParityReport) -> tuple[Table, ...]:
    """How much each layer adds, of a file that is not in float32."""
    columns = (
        Column("layer", "name"),
        Column("precision", "precision"),
        Column("SNR dB", "snr_db", "{:.1f}"),
        Column("output", "output"),
        Column("share of the noise", "share", "{:.0%}"),
    )
    title = f"{report.variant}: layers, each alone in its precision"
    if isinstance(report.layers, Skipped):
        empty = Table(title, columns, (), (report.layers.reason,))
        return () if report.precision == "fp32" else (empty,)
    notes = (f"share: of the noise in {report.layers[0].of}",) if report.layers else ()
    return (Table(title, columns, report.layers, notes),)


def _outputs(report: ParityReport) -> Table:
    columns = (
        Column("output", "name"),
        Column("SNR dB", "found.parity.snr_db", "{:.1f}"),
        Column("torch dB", "found.parity.torch_snr_db", "{:.1f}", spare=6),
        *(HEARD if any(w.found.parity.log_mel is not None for w in report.outputs) else ()),
        Column("verdict", lambda worst: WORD[worst.passed]),
        Column("sizes", "case.shape"),
        Column("worst at", _place, spare=3),
        Column("expected", "found.worst.expected", NUMBER, spare=1),
        Column("found", "found.worst.found", NUMBER, spare=2),
    )
    title = f"{report.variant}: outputs, each in the shape where it is worst"
    return Table(title, columns, report.outputs)


def _place(worst: Worst) -> str:
    element = worst.found.worst
    return element.reason if isinstance(element, Skipped) else f"{list(element.index)}"


def _shapes(report: ParityReport) -> Table:
    """A case that cannot be run fails; each reason is a note behind the shapes it holds for."""
    columns = (
        Column("sizes", "shape"),
        Column("SNR dB", "worst.parity.snr_db", "{:.1f}"),
        Column("torch dB", "worst.parity.torch_snr_db", "{:.1f}"),
        Column("verdict", lambda case: WORD[case.passes(report.budget_db)]),
        Column("worst output", "worst.parity.name", missing="not run"),
    )
    reasons = grouped(report.holes, lambda pair: pair[1].reason)
    notes = (f"{', '.join(c.shape for c, _ in cases)}: {why}" for why, cases in reasons.items())
    title = f"{report.variant}: shapes, each with its worst output"
    return Table(title, columns, report.cases, tuple(notes))


def _meaning(report: ParityReport) -> tuple[Table, ...]:
    """Nothing of a network without scores."""
    if report.cases and all(case.meaning == NO_SCORES for case in report.cases):
        return ()
    columns = (
        Column("quantity", "1.name"),
        Column("change", "1.absolute", "{:.1e}"),
        Column("relative", "1.relative", "{:.1e}"),
        Column("torch relative", "1.torch_relative", "{:.1e}"),
        Column("sizes", "0.shape"),
        Column("float64", "1.exact", NUMBER, spare=2),
        Column("torch change", "1.torch_absolute", "{:.1e}", spare=1),
    )
    title = f"{report.variant}: what it means for training"
    return (Table(title, columns, report.meaning, MEANING),)
