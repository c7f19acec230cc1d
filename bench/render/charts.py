"""What charts are made of: traces in the look of a key, as plotly takes them, without a theme."""

import textwrap
from collections.abc import Iterable, Sequence
from html import escape
from typing import Any

from bench.records import Report
from bench.render.document import Chart, Key

Trace = tuple[Key, dict[str, Any]]

# Each has a contrast of 3 or more on the light and on the dark background.
COLOURS = (
    "#2878c8", "#d2601a", "#2e9457", "#c0479c", "#8a6ae0",
    "#a67c14", "#d64550", "#1a93a0", "#7d8590", "#6d8f1d",
)  # fmt: skip
GREY = "#858b93"
SYMBOLS = {
    "●": "circle", "■": "square", "◆": "diamond", "▲": "triangle-up",
    "▼": "triangle-down", "⬟": "pentagon", "⬢": "hexagon",
}  # fmt: skip
MARGIN = {"l": 58, "r": 14, "t": 12, "b": 46}  # pixels
DASHES = {
    "━": "solid", "╍": "dash", "┅": "dot", "┉": "dashdot", "╌": "longdash", "┄": "longdashdot",
}  # fmt: skip
OF_PRECISION = {"fp32": "━", "tf32": "╍", "fp16": "┅", "bf16": "┉", "int8": "╌", "mixed": "┄"}
WIDTH = 48  # characters of a name that fit beside each other on a telephone
TEXT_LINE, LANE, GAP = 15, 18, 8  # pixels of a chart of bands
OF_BANDS = {"l": 8, "r": 14, "t": 12, "b": 40}


def label(*lines: str, width: int = WIDTH) -> str:
    """Any text as it is in plotly, which would read HTML in it; long lines are broken."""
    parts = (part for line in lines for part in textwrap.wrap(line, width))
    return "<br>".join(escape(part, quote=False) for part in parts) or " "


def keys(report: Report) -> dict[str, Key]:
    """The look of each backend, the same in every chart."""
    names = dict.fromkeys(result.backend for result in report.results)
    marks = tuple(SYMBOLS)
    return {
        name: Key(name, marks[n % len(marks)], COLOURS[n % len(COLOURS)])
        for n, name in enumerate(names)
    }


def symbol(key: Key) -> str:
    """Plotly's name of a mark."""
    return SYMBOLS.get(key.mark, "circle")


def grey(name: str, precision: str) -> Key:
    """Of a line that belongs to a precision and to no backend."""
    return Key(name, OF_PRECISION.get(precision, "━"), GREY)


def axis(title: str, **more: Any) -> dict[str, Any]:
    """An axis with its unit."""
    return {"title": {"text": title}, **more}


def line(key: Key, x: Iterable[Any], y: Iterable[float], width: int = 2, **more: Any) -> Trace:
    """A line to compare with; its mark tells its dashes."""
    look = {"color": key.colour, "width": width, "dash": DASHES[key.mark]}
    trace = {"type": "scatter", "x": [*x], "y": [*y], "mode": "lines", "line": look}
    return key, {**trace, "hoverinfo": "skip", **more}


def points(
    key: Key,
    x: Iterable[Any],
    y: Iterable[float | None],
    text: Iterable[str],
    mode: str = "markers",
    **marker: Any,
) -> Trace:
    """Marks with a text for each."""
    look = {"symbol": symbol(key), "size": 9, "color": key.colour, **marker}
    trace = {"type": "scatter", "x": [*x], "y": [*y], "text": [*text], "mode": mode}
    hover = {"hovertemplate": "%{text}<extra></extra>"}
    return key, {**trace, **hover, "line": {"color": key.colour}, "marker": look}


def chart(
    title: str, traces: Sequence[Trace], height: int, notes: tuple[str, ...] = (), **layout: Any
) -> Chart:
    """A chart as wide as its place, ``height`` pixels high, with a key of its traces."""
    data = [{**trace, "legendgroup": key.name} for key, trace in traces]
    names = tuple(dict.fromkeys(key for key, _ in traces))
    return Chart(title, _figure(data, height=height, **layout), names, notes)


def banded(
    title: str, bands: Iterable[tuple[str, Iterable[dict[str, Any]]]], xaxis: dict[str, Any]
) -> Chart:
    """Names below each other, each above a trace for each of its lanes: it fits a telephone too.

    The y axis counts pixels from the top.
    """
    traces, texts, top = [], [], 0
    place = {"x": 0, "xref": "paper", "xanchor": "left", "yanchor": "top"}
    for name, lanes in bands:
        text = label(name)
        texts.append({**place, "y": top, "text": text, "align": "left", "showarrow": False})
        top += TEXT_LINE * (text.count("<br>") + 1)
        for lane in lanes:
            traces.append({**lane, "y0": top + LANE // 2, "orientation": "h", "width": LANE - 6})
            top += LANE
        top += GAP
    figure = _figure(
        traces,
        height=top + OF_BANDS["t"] + OF_BANDS["b"],
        margin=OF_BANDS,
        xaxis=xaxis,
        yaxis={"range": [top, 0], "visible": False, "fixedrange": True},
        annotations=texts,
        hovermode="closest",
    )
    return Chart(title, figure)


def _figure(traces: list[dict[str, Any]], **layout: Any) -> dict[str, Any]:
    return {"data": traces, "layout": {"showlegend": False, "margin": MARGIN, **layout}}
