"""What every chart has: a figure for plotly without colours of a theme, and a key beside it."""

import textwrap
from collections.abc import Iterable
from dataclasses import dataclass, replace
from html import escape
from typing import Any

from bench.records import Report, Result, Workload
from hifigan_ref.network import BATCH

# Each has a contrast of 3 or more on the light and on the dark background.
COLOURS = (
    "#2878c8", "#d2601a", "#2e9457", "#c0479c", "#8a6ae0",
    "#a67c14", "#d64550", "#1a93a0", "#7d8590", "#6d8f1d",
)  # fmt: skip
GREY = "#858b93"
SYMBOLS = {
    "circle": "●", "square": "■", "diamond": "◆", "triangle-up": "▲",
    "triangle-down": "▼", "pentagon": "⬟", "hexagon": "⬢",
}  # fmt: skip
MARGIN = {"l": 58, "r": 14, "t": 12, "b": 46}  # pixels
# A line for each precision: as plotly calls it, and as a character.
LINES = {
    "fp32": ("solid", "━"),
    "tf32": ("dash", "╍"),
    "fp16": ("dot", "┅"),
    "bf16": ("dashdot", "┉"),
    "int8": ("longdash", "╌"),
    "mixed": ("longdashdot", "┄"),
}
LINE = 48  # characters of a name that fit beside each other on a telephone


@dataclass(frozen=True)
class Key:
    """An entry of a chart's key.

    Attributes:
        name: of the traces, as plain text.
        mark: a character that looks like them.
        colour: of the mark, or "" for the ink's.
    """

    name: str
    mark: str
    colour: str


@dataclass(frozen=True)
class Chart:
    """A chart of a page.

    Attributes:
        title: above it.
        figure: plotly's JSON; the page adds the theme.
        keys: what its traces are; the figure groups them by these names.
        remarks: below it, a line each.
    """

    title: str
    figure: str
    keys: tuple[Key, ...] = ()
    remarks: tuple[str, ...] = ()


def label(text: str, line: int = LINE) -> str:
    """Any text as it is in plotly, which would read HTML in it; long ones are broken."""
    return "<br>".join(escape(part, quote=False) for part in textwrap.wrap(text, line)) or " "


def keys(report: Report) -> dict[str, Key]:
    """The look of each backend, the same in every chart."""
    names = dict.fromkeys(result.backend for result in report.results)
    marks = tuple(SYMBOLS.values())
    return {
        name: Key(name, marks[n % len(marks)], COLOURS[n % len(COLOURS)])
        for n, name in enumerate(names)
    }


def symbol(key: Key) -> str:
    """Plotly's name of a mark."""
    return next((name for name, mark in SYMBOLS.items() if mark == key.mark), "circle")


def line_of(precision: str) -> tuple[str, str]:
    """Its dashes and its mark."""
    return LINES.get(precision, LINES["fp32"])


def by_workload(results: Iterable[Result]) -> dict[Workload, list[Result]]:
    """Rows that were given the same input, whatever their precision."""
    groups: dict[Workload, list[Result]] = {}
    for result in results:
        groups.setdefault(replace(result.workload, precision="fp32"), []).append(result)
    return groups


def by_series(results: Iterable[Result]) -> dict[Workload, list[Result]]:
    """Rows that differ by their batch and precision alone."""
    groups: dict[Workload, list[Result]] = {}
    for result in results:
        groups.setdefault(_of_any_batch(result.workload), []).append(result)
    return groups


def _of_any_batch(load: Workload) -> Workload:
    sizes = {**load.sizes, BATCH: 1}
    return replace(load, precision="fp32", sizes=sizes, audio_seconds=None)


def figure(traces: list[Any], height: int, **layout: Any) -> str:
    """Plotly's JSON of a figure that is as wide as its place, height in pixels."""
    import plotly.graph_objects as go

    drawn = go.Figure(traces)
    drawn.update_layout(
        template=go.layout.Template(),
        height=height,
        showlegend=False,
        **{"margin": MARGIN, **layout},
    )
    text: str = drawn.to_json()
    return text
