"""Charts of every output's SNR in layer order, beside PyTorch's own error and the budget."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import inf, isfinite
from typing import Any

from bench.records import OutputParity, Parity, Report
from bench.render.charts import Trace, axis, chart, grey, keys, label, line, points, symbol
from bench.render.document import Chart, Key
from bench.render.names import by_workload, workload_name

AROUND = 8  # dB of room above and below
RED = "#d64550"
LEAD = "Against PyTorch in float64, in the order of the graph; higher is better, x is a failure."


@dataclass(frozen=True)
class Compared:
    """What a line of a chart is about.

    Attributes:
        key: its look and name.
        precision: of what was compared, and of PyTorch's own error beside it.
        parity: every output.
    """

    key: Key
    precision: str
    parity: Parity


@dataclass(frozen=True)
class _Scale:
    """Where each SNR is drawn: what has no place on a scale in dB lies at its ends.

    Attributes:
        bottom: of what is not finite and not exact, dB.
        top: of what is exact, dB.
    """

    bottom: float
    top: float

    def place(self, snr_db: float) -> float:
        """In dB."""
        if isfinite(snr_db):
            return snr_db
        return self.top if snr_db == inf else self.bottom


def parity_charts(report: Report) -> Iterator[Chart]:
    """One for each workload that was compared."""
    looks = keys(report)
    for load, results in by_workload(report.results).items():
        compared = [
            Compared(looks[r.backend], r.workload.precision, r.parity)
            for r in results
            if isinstance(r.parity, Parity)
        ]
        if compared:
            yield parity_chart(workload_name(load), compared)


def parity_chart(title: str, compared: Sequence[Compared]) -> Chart:
    """SNR of every output of every row, PyTorch's own beside it, and the budget."""
    outputs = [output for each in compared for output in each.parity.outputs]
    told = [db for output in outputs for db in (output.snr_db, output.torch_snr_db)]
    budgets = sorted({each.parity.budget_db for each in compared})
    drawn = [*filter(isfinite, told), *budgets]
    scale = _Scale(min(drawn) - AROUND, max(drawn) + AROUND)
    names = list(dict.fromkeys(_name(output) for output in outputs))
    own = {each.precision: each.parity for each in compared}
    traces = [_own_error(precision, parity, scale) for precision, parity in own.items()]
    for budget in budgets:
        key = Key(f"budget, {budget:g} dB", "╍", RED)
        traces.append(line(key, names, [budget] * len(names)))
    traces += [_line(each, scale) for each in compared]
    categories = {"type": "category", "categoryarray": names}
    return chart(
        title,
        traces,
        440,
        xaxis={**categories, "automargin": True, "tickangle": -90},
        yaxis=axis("SNR, dB", range=[scale.bottom - AROUND, scale.top + AROUND]),
        annotations=[*_ends(scale, told)],
        hovermode="closest",
    )


def _ends(scale: _Scale, told: list[float]) -> Iterator[dict[str, Any]]:
    """Names of the two ends, where something lies there."""
    odd = {scale.place(db) for db in told if not isfinite(db)}
    for place, text in ((scale.top, "exact"), (scale.bottom, "no finite SNR")):
        if place in odd:
            yield {
                "text": text, "x": 1, "xref": "paper", "xanchor": "right",
                "y": place, "yanchor": "bottom", "showarrow": False,
            }  # fmt: skip


def _line(each: Compared, scale: _Scale) -> Trace:
    outputs, budget = each.parity.outputs, each.parity.budget_db
    passed = [output.snr_db >= budget for output in outputs]
    places = [scale.place(output.snr_db) for output in outputs]
    texts = [_told(each.key, *pair) for pair in zip(outputs, passed, strict=True)]
    symbols = [symbol(each.key) if fine else "x" for fine in passed]
    sizes = [7 if fine else 11 for fine in passed]
    look = {"symbol": symbols, "size": sizes, "line": {"width": 0}, "opacity": 1}
    return points(each.key, map(_name, outputs), places, texts, "lines+markers", **look)


def _own_error(precision: str, parity: Parity, scale: _Scale) -> Trace:
    key = grey(f"PyTorch itself, {precision}", precision)
    places = [scale.place(output.torch_snr_db) for output in parity.outputs]
    return line(key, map(_name, parity.outputs), places, width=6, opacity=0.45)


def _name(output: OutputParity) -> str:
    return label(output.name, width=99)


def _told(key: Key, output: OutputParity, fine: bool) -> str:
    both = (output.snr_db, output.torch_snr_db)
    found, own = ("exact" if db == inf else f"{db:.1f} dB" for db in both)
    verdict = "" if fine else ", FAILED"
    return label(key.name, output.name, f"{found}{verdict}, PyTorch itself {own}")
