"""Charts of every output's SNR in layer order, beside PyTorch's own error and the budget."""

from collections.abc import Iterator, Sequence
from math import inf, isfinite
from typing import Any, NamedTuple

from bench.names import by_workload, workload_name
from bench.records import OutputParity, Parity, Report
from bench.render.charts import Trace, axis, chart, grey, keys, label, line, points, symbol
from bench.render.document import Chart, Key

AROUND = 8  # dB of room above and below
RED = "#d64550"
LEAD = "Against PyTorch in float64, in the order of the graph; higher is better, x is a failure."


Ends = tuple[float, float]
"""Where what is not finite and not exact is drawn, and what is exact: no scale in dB has it."""


class Compared(NamedTuple):
    """What a line is about: its look and name, its precision, and every output."""

    key: Key
    precision: str
    parity: Parity


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
    bottom, top = ends = (min(drawn) - AROUND, max(drawn) + AROUND)
    names = list(dict.fromkeys(map(_name, outputs)))
    own = {each.precision: each.parity for each in compared}
    traces = [_own_error(*each, ends, dashed=len(own) > 1) for each in own.items()]
    for budget in budgets:
        key = Key(f"budget, {budget:g} dB", "╍", RED)
        traces.append(line(key, names, [budget] * len(names)))
    categories = {"type": "category", "categoryarray": names}
    return chart(
        title,
        [*traces, *(_line(each, ends) for each in compared)],
        440,
        xaxis={**categories, "automargin": True, "tickangle": -90},
        yaxis=axis("SNR, dB", range=[bottom - AROUND, top + AROUND]),
        annotations=[*_ends(ends, told)],
        hovermode="closest",
    )


def _place(snr_db: float, ends: Ends) -> float:
    return snr_db if isfinite(snr_db) else ends[snr_db == inf]


def _ends(ends: Ends, told: list[float]) -> Iterator[dict[str, Any]]:
    """Names of the two ends, where something lies there."""
    odd = {_place(db, ends) for db in told if not isfinite(db)}
    look = {"x": 1, "xref": "paper", "xanchor": "right", "yanchor": "bottom", "showarrow": False}
    for place, text in zip(ends, ("no finite SNR", "exact"), strict=True):
        if place in odd:
            yield {**look, "y": place, "text": text}


def _line(each: Compared, ends: Ends) -> Trace:
    outputs, budget = each.parity.outputs, each.parity.budget_db
    passed = [output.snr_db >= budget for output in outputs]
    places = [_place(output.snr_db, ends) for output in outputs]
    texts = [_told(each.key, *pair) for pair in zip(outputs, passed, strict=True)]
    symbols = [symbol(each.key) if fine else "x" for fine in passed]
    sizes = [7 if fine else 11 for fine in passed]
    look = {"symbol": symbols, "size": sizes, "line": {"width": 0}, "opacity": 1}
    return points(each.key, map(_name, outputs), places, texts, "lines+markers", **look)


def _own_error(precision: str, parity: Parity, ends: Ends, dashed: bool) -> Trace:
    key = grey(f"PyTorch itself, {precision}", precision if dashed else "fp32")
    places = [_place(output.torch_snr_db, ends) for output in parity.outputs]
    return line(key, map(_name, parity.outputs), places, width=6, opacity=0.45)


def _name(output: OutputParity) -> str:
    return label(output.name, width=99)


def _told(key: Key, output: OutputParity, fine: bool) -> str:
    both = (output.snr_db, output.torch_snr_db)
    found, own = ("exact" if db == inf else f"{db:.1f} dB" for db in both)
    verdict = "" if fine else ", FAILED"
    return label(key.name, output.name, f"{found}{verdict}, PyTorch itself {own}")
