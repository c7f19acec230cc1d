"""Charts of every output's SNR in layer order, beside PyTorch's own error and the budget."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from math import inf, isfinite
from typing import Any

from bench.records import OutputParity, Parity, Report, Result
from bench.render.charts import GREY, Chart, Key, by_workload, figure, keys, label, line_of, symbol
from bench.render.names import workload_name

Compared = tuple[Result, Parity]

AROUND = 8  # dB of room above and below
BUDGET = "#d64550"


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
        compared = [(r, r.parity) for r in results if isinstance(r.parity, Parity)]
        if compared:
            yield parity_chart(workload_name(load), compared, looks)


def parity_chart(title: str, compared: list[Compared], looks: dict[str, Key]) -> Chart:
    """SNR of every output of every row, PyTorch's own beside it, and the budget."""
    scale = _scale(compared)
    names = dict.fromkeys(label(o.name, 99) for _, parity in compared for o in parity.outputs)
    own = {r.workload.precision: parity for r, parity in compared}
    traces = [_own_error(precision, parity, scale) for precision, parity in own.items()]
    budgets = sorted({parity.budget_db for _, parity in compared})
    traces += [_budget(budget, list(names)) for budget in budgets]
    traces += [_line(*each, looks[each[0].backend], scale) for each in compared]
    drawn = figure(
        traces,
        440,
        xaxis={
            "type": "category",
            "categoryarray": list(names),
            "automargin": True,
            "tickangle": -90,
        },
        yaxis={"title": "SNR, dB", "range": [scale.bottom - AROUND, scale.top + AROUND]},
        annotations=[*_ends(scale, compared)],
        hovermode="closest",
    )
    shown = dict.fromkeys(looks[result.backend] for result, _ in compared)
    fixed = [Key(_own_name(precision), line_of(precision)[1], GREY) for precision in own]
    fixed += [Key(_budget_name(budget), "┅", BUDGET) for budget in budgets]
    return Chart(title, drawn, (*fixed, *shown))


def _scale(compared: list[Compared]) -> _Scale:
    told = [db for _, p in compared for o in p.outputs for db in (o.snr_db, o.torch_snr_db)]
    told = [db for db in told if isfinite(db)] + [parity.budget_db for _, parity in compared]
    return _Scale(min(told) - AROUND, max(told) + AROUND)


def _ends(scale: _Scale, compared: list[Compared]) -> Iterator[dict[str, Any]]:
    """Names of the two ends, where something lies there."""
    told = {db for _, p in compared for o in p.outputs for db in (o.snr_db, o.torch_snr_db)}
    odd = {scale.place(db) for db in told if not isfinite(db)}
    for place, text in ((scale.top, "exact"), (scale.bottom, "no finite SNR")):
        if place in odd:
            yield {
                "text": text, "x": 1, "xref": "paper", "xanchor": "right",
                "y": place, "yanchor": "bottom", "showarrow": False,
            }  # fmt: skip


def _line(result: Result, parity: Parity, key: Key, scale: _Scale) -> Any:
    import plotly.graph_objects as go

    passed = [output.snr_db >= parity.budget_db for output in parity.outputs]
    return go.Scatter(
        x=[label(output.name, 99) for output in parity.outputs],
        y=[scale.place(output.snr_db) for output in parity.outputs],
        text=[
            _told(result, output, fine) for output, fine in zip(parity.outputs, passed, strict=True)
        ],
        mode="lines+markers",
        line={"color": key.colour, "width": 1.5},
        marker=_marks(key, passed),
        hovertemplate="%{text}<extra></extra>",
        legendgroup=key.name,
    )


def _marks(key: Key, passed: list[bool]) -> dict[str, Any]:
    return {
        "symbol": [symbol(key) if fine else "x" for fine in passed],
        "size": [7 if fine else 11 for fine in passed],
        "color": key.colour,
        "line": {"width": 0},
        "opacity": 1,
    }


def _own_error(precision: str, parity: Parity, scale: _Scale) -> Any:
    import plotly.graph_objects as go

    return go.Scatter(
        x=[label(output.name, 99) for output in parity.outputs],
        y=[scale.place(output.torch_snr_db) for output in parity.outputs],
        mode="lines",
        line={"color": GREY, "width": 6, "dash": line_of(precision)[0]},
        opacity=0.45,
        hoverinfo="skip",
        legendgroup=_own_name(precision),
    )


def _budget(budget: float, names: Iterable[str]) -> Any:
    import plotly.graph_objects as go

    names = list(names)
    return go.Scatter(
        x=names,
        y=[budget] * len(names),
        mode="lines",
        line={"color": BUDGET, "width": 2, "dash": "dash"},
        hoverinfo="skip",
        legendgroup=_budget_name(budget),
    )


def _told(result: Result, output: OutputParity, fine: bool) -> str:
    found = "exact" if output.snr_db == inf else f"{output.snr_db:.1f} dB"
    own = "exact" if output.torch_snr_db == inf else f"{output.torch_snr_db:.1f} dB"
    verdict = "" if fine else ", FAILED"
    lines = (result.backend, output.name, f"{found}{verdict}, PyTorch itself {own}")
    return "<br>".join(map(label, lines))


def _own_name(precision: str) -> str:
    return f"PyTorch itself, {precision}"


def _budget_name(budget: float) -> str:
    return f"budget, {budget:g} dB"
