"""A report as one HTML file that needs no network: tables, charts and what draws them."""

import re
from dataclasses import dataclass

from bench.records import Report
from bench.render import tables
from bench.render.charts import Chart
from bench.render.charts_latency import latency_charts
from bench.render.charts_parity import parity_charts
from bench.render.charts_roofline import left_out, roofline_charts
from bench.render.charts_samples import MOST_POINTS, sample_charts
from bench.render.context import context, of_report
from bench.render.layer_tables import layers
from bench.render.speedups import together
from bench.render.table import Table
from bench.render.tables_costs import costs
from bench.render.tables_gpu import gpu_at_work
from bench.render.tables_machine import machine
from bench.render.tables_proof import holes, proofs

MOST_OPEN = 4  # charts or names of tables in a section; the others open on demand
NUMBER = re.compile(r"[-+]?(\d[\d.]*(e[-+]?\d+)?|inf|nan)(x( \([\d.]+ to [\d.]+\))?)?|-|too few")

BY_BATCH = "Whiskers are the 95 % interval of the median, where there are six samples or more."
SAMPLES = (
    "A box holds half of the samples; rounds lie below each other. At most"
    f" {MOST_POINTS} samples of a row are drawn, evenly spaced."
)
ROOFLINE = "A row under the slope waits for memory, one under the flat part for arithmetic."
PARITY = "Against PyTorch in float64, in the order of the graph; higher is better, x is a failure."


@dataclass(frozen=True)
class Section:
    """A part of the page.

    Attributes:
        title: its heading.
        lead: how to read its charts.
        charts: the first of them open.
        remarks: a line each.
        tables: below the charts.
        folded: tables that open on demand.
    """

    title: str
    lead: str = ""
    charts: tuple[Chart, ...] = ()
    remarks: tuple[str, ...] = ()
    tables: tuple[Table, ...] = ()
    folded: tuple[Table, ...] = ()

    @property
    def anchor(self) -> str:
        """Its name in a link."""
        return re.sub(r"\W+", "-", self.title.lower())

    @property
    def filled(self) -> bool:
        """Whether there is something below the heading."""
        return any((self.charts, self.remarks, self.tables, self.folded))


def dump(report: Report) -> bytes:
    """The page as a file, UTF-8."""
    title = f"hifi-bench, {report.created}"
    return page(title, report.tool, context(report), sections(report), of_report(report))


def page(
    title: str,
    tool: str,
    facts: tuple[str, ...],
    sections: tuple[Section, ...],
    warnings: tuple[str, ...] = (),
) -> bytes:
    """Warnings and facts below the title, then sections; the tool that wrote them at the end."""
    from jinja2 import Environment, PackageLoader, StrictUndefined
    from plotly.offline import get_plotlyjs

    pages = Environment(
        loader=PackageLoader("bench.render", "html_template"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    pages.tests["number"] = lambda text: NUMBER.fullmatch(text) is not None
    template = pages.get_template("page.html")
    plotly: str = get_plotlyjs()
    held = template.render(
        title=title,
        tool=tool,
        warnings=warnings,
        context=facts,
        sections=sections,
        plotly=plotly,
        most_open=MOST_OPEN,
    )
    return held.encode()


def sections(report: Report) -> tuple[Section, ...]:
    """In the order of the page, those with nothing in them left out."""
    missing = left_out(report) if report.results else ()
    samples = _filled(tables.samples(report))
    parity = tables.parity(report)
    all_ = (
        Section("Latency", tables=(*together(report), *tables.latency(report))),
        Section("Latency by batch", BY_BATCH, tuple(latency_charts(report))),
        Section("Samples", SAMPLES, tuple(sample_charts(report)), folded=samples),
        Section("Costs", tables=_filled(costs(report), gpu_at_work(report))),
        Section("Roofline", ROOFLINE, tuple(roofline_charts(report)), missing),
        Section("Parity", PARITY, tuple(parity_charts(report)), folded=parity),
        Section("Layers", folded=layers(report)),
        Section("Settings and proofs", tables=_filled(tables.settings(report), proofs(report))),
        Section("Skipped", tables=_filled(holes(report))),
        Section("Machine", tables=(machine(report),)),
    )
    return tuple(each for each in all_ if each.filled)


def _filled(*held: Table) -> tuple[Table, ...]:
    return tuple(table for table in held if table.rows)
