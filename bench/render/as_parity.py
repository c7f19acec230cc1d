"""Parity reports in the terminal, as Markdown, as HTML and as JSON."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import TypeAdapter
from pydantic_core import to_json
from rich.console import Console
from rich.text import Text

from bench import schema_1
from bench.parity.cases import NOISE_DB
from bench.parity.report import ONNXRUNTIME, Change, ParityCase, ParityReport, Worst
from bench.records import Parity, Result, Skipped, Workload
from bench.render.as_html import PARITY, Section, page
from bench.render.as_markdown import section
from bench.render.as_table import draw
from bench.render.charts import COLOURS, Chart, Key
from bench.render.charts_parity import parity_chart
from bench.render.table import EMPTY, Table
from export import atomic

TITLE = "hifi-bench parity"
MEANING = (
    f"y is speech, y_hat the same speech with seeded noise {NOISE_DB:.0f} dB below it",
    "each in the shape where its relative change is largest; torch: PyTorch in float32",
    "the score: its largest change, relative to the root mean square of all scores of the shape",
)
_REPORTS = TypeAdapter(tuple[ParityReport, ...])


@dataclass(frozen=True)
class _Part:
    """One report, as every view shows it."""

    title: str
    facts: tuple[str, ...]
    tables: tuple[Table, ...]


def views(reports: Sequence[ParityReport]) -> dict[str, bytes]:
    """Content by file name; the one to open comes first."""
    return {
        "parity.html": _html(reports),
        "parity.md": markdown(reports).encode(),
        "parity.json": dump(reports),
    }


def save(reports: Sequence[ParityReport], folder: Path, as_json: bool) -> str:
    """Write every view; print the tables and tell where they are, or give the JSON alone."""
    atomic.write_all({folder / name: content for name, content in views(reports).items()})
    if as_json:
        return dump(reports).decode().rstrip()
    print_reports(reports)
    return f"report: {folder / 'parity.html'}; beside it .md and .json"


def print_reports(reports: Sequence[ParityReport], console: Console | None = None) -> None:
    """Print every table, and the verdict last, on standard output unless told otherwise."""
    console = console or Console()
    for part, report in zip(map(_part, reports), reports, strict=True):
        for table in part.tables:
            draw(table, console)
        *facts, verdict = part.facts
        for fact in facts:
            console.print(Text(fact, style="dim"))
        console.print(Text(verdict, style="bold" if report.passed else "bold red"))


def markdown(reports: Sequence[ParityReport]) -> str:
    """A page with a heading for each report."""
    parts = [f"# {TITLE}"]
    for part in map(_part, reports):
        parts += [f"## {part.title}", "\n".join(f"- {fact}" for fact in part.facts)]
        parts += [section(table, "###") for table in part.tables]
    return "\n\n".join(parts) + "\n"


def dump(reports: Sequence[ParityReport]) -> bytes:
    """Every number of every case: a list of reports; what is not finite is a text."""
    return to_json(tuple(reports), indent=1, inf_nan_mode="strings") + b"\n"


def load(content: bytes) -> tuple[ParityReport, ...]:
    """What ``dump`` wrote."""
    return _REPORTS.validate_json(schema_1.upgraded(content, schema_1.of_parity))


def verdict(report: ParityReport) -> str:
    """Whether all is within the budget, and else where the first layer leaves it."""
    count, budget = len(report.cases), f"{report.budget_db:g} dB"
    where = f"{report.variant} {'PASSED' if report.passed else 'FAILED'}{_where(report)}"
    if report.passed:
        return f"{where}: no output leaves the budget of {budget} in {count} shapes"
    told = []
    if report.holes:
        first, _ = report.holes[0]
        told.append(f"{len(report.holes)} of {count} shapes cannot be run, first {first.shape}")
    if report.failures:
        outputs = f"{len(report.failures)} of {len(report.outputs)} outputs"
        layer = report.failures[0]
        told.append(f"{outputs} leave the budget of {budget}, the first layer is {layer}")
    return f"{where}: {'; '.join(told)}"


def _part(report: ParityReport) -> _Part:
    torch = f"PyTorch {report.versions.get('torch', '')} in float64, as trained"
    runtime = f"{report.runtime} {report.versions.get(report.runtime, '')} on the CPU"
    facts = (
        f"{report.file}, sha256 {report.sha256[:16]}: {report.variant}, weights: {report.weights}",
        f"{runtime} against {torch}",
        *_precision(report),
        f"speech: {report.source}",
        verdict(report),
    )
    tables = (_outputs(report), *_layers(report), _shapes(report), _meaning(report))
    return _Part(f"{report.variant}: {report.file}{_where(report)}", facts, tables)


def _where(report: ParityReport) -> str:
    return "" if report.runtime == ONNXRUNTIME else f" in {report.runtime}"


def _precision(report: ParityReport) -> tuple[str, ...]:
    """Nothing of a file in float32."""
    if report.precision == "fp32":
        return ()
    how = "rounded where the file says, sums of 16 bits in float32"
    return (f"in {report.precision}: {how}; torch dB: PyTorch in that precision",)


def _layers(report: ParityReport) -> tuple[Table, ...]:
    """How much each layer adds, of a file that is not in float32."""
    title = f"{report.variant}: layers, each alone in its precision"
    header = ("layer", "precision", "SNR dB", "output", "share of the noise")
    if isinstance(report.layers, Skipped):
        if report.precision == "fp32":
            return ()
        return (Table(title, header, (), (report.layers.reason,)),)
    rows = tuple(
        (each.name, each.precision, _db(each.snr_db), each.output, f"{each.share:.0%}")
        for each in report.layers
    )
    remarks = (f"share: of the noise in {report.layers[0].of}",) if report.layers else ()
    return (Table(title, header, rows, remarks),)


def _outputs(report: ParityReport) -> Table:
    header = ("output", "SNR dB", "torch dB", "verdict", "N x T", "worst at", "expected", "found")
    title = f"{report.variant}: outputs, each in the shape where it is worst"
    return Table(title, header, tuple(map(_output, report.outputs)))


def _output(worst: Worst) -> tuple[str, ...]:
    parity, element = worst.found.parity, worst.found.worst
    if isinstance(element, Skipped):
        place = (element.reason, EMPTY, EMPTY)
    else:
        index = ", ".join(map(str, element.index))
        place = (f"[{index}]", f"{element.expected:.7g}", f"{element.found:.7g}")
    numbers = (_db(parity.snr_db), _db(parity.torch_snr_db), _word(worst.passed))
    return (worst.name, *numbers, worst.case.shape, *place)


def _shapes(report: ParityReport) -> Table:
    rows = [_shape(case, report.budget_db) for case in report.cases]
    header = ("N x T", "SNR dB", "torch dB", "verdict", "worst output")
    title = f"{report.variant}: shapes, each with its worst output"
    return Table(title, header, tuple(rows), _reasons(report))


def _reasons(report: ParityReport) -> tuple[str, ...]:
    """Each once, behind the shapes that it holds for."""
    missing: dict[str, list[str]] = {}
    for case, hole in report.holes:
        missing.setdefault(hole.reason, []).append(case.shape)
    return tuple(f"{', '.join(shapes)}: {reason}" for reason, shapes in missing.items())


def _shape(case: ParityCase, budget_db: float) -> tuple[str, ...]:
    if isinstance(case.outputs, Skipped):
        return (case.shape, EMPTY, EMPTY, _word(passed=False), "not run")
    worst = min((output.parity for output in case.outputs), key=lambda parity: parity.snr_db)
    numbers = (_db(worst.snr_db), _db(worst.torch_snr_db), _word(worst.snr_db >= budget_db))
    return (case.shape, *numbers, worst.name)


def _meaning(report: ParityReport) -> Table:
    header = (
        *("quantity", "change", "relative", "torch relative"),
        *("N x T", "float64", "torch change"),
    )
    rows = [_change(case, change) for case, change in report.meaning]
    return Table(f"{report.variant}: what it means for training", header, tuple(rows), MEANING)


def _change(case: ParityCase, change: Change) -> tuple[str, ...]:
    relative = (f"{change.relative:.1e}", f"{change.torch_relative:.1e}")
    exact, torch = f"{change.exact:.7g}", f"{change.torch_absolute:.1e}"
    return (change.name, f"{change.absolute:.1e}", *relative, case.shape, exact, torch)


def _html(reports: Sequence[ParityReport]) -> bytes:
    parts = list(map(_part, reports))
    sections = [
        Section(part.title, PARITY, _charts(report), part.facts, part.tables)
        for part, report in zip(parts, reports, strict=True)
    ]
    facts = tuple(part.facts[-1] for part in parts)
    return page(TITLE, reports[0].tool, facts, tuple(sections))


def _charts(report: ParityReport) -> tuple[Chart, ...]:
    """None where no case could be run."""
    return (_chart(report),) if report.outputs else ()


def _chart(report: ParityReport) -> Chart:
    untimed = Skipped("not timed")
    case = report.cases[0]
    load = Workload(
        variant=report.variant,
        sizes=case.sizes,
        views=(),
        precision="fp32",
        source=report.source,
        weights=report.weights,
        threads=1,
    )
    parity = Parity(report.budget_db, tuple(worst.found.parity for worst in report.outputs))
    row = Result(report.file, load, untimed, parity, untimed, {}, 0)
    look = {report.file: Key(report.file, "●", COLOURS[0])}
    return parity_chart("Each output in the shape where it is worst", [(row, parity)], look)


def _db(value: float) -> str:
    return f"{value:.1f}"


def _word(passed: bool) -> str:
    return "pass" if passed else "FAIL"
