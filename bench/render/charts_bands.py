"""Charts of named bands below each other: a name above its lanes fits a telephone too."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from bench.render.charts import figure, label

LANE = 18  # pixels
TEXT_LINE = 15
GAP = 8
MARGIN = {"l": 8, "r": 14, "t": 12, "b": 40}


@dataclass(frozen=True)
class Band:
    """A name and the places of what is drawn below it.

    Attributes:
        text: for plotly, escaped.
        top: pixels from the chart's top to the name.
        lanes: pixels from the chart's top to the middle of each lane.
    """

    text: str
    top: int
    lanes: tuple[int, ...]

    @property
    def bottom(self) -> int:
        """Pixels from the chart's top to where the next one begins."""
        return self.lanes[-1] + LANE // 2 + GAP


def bands(names: Iterable[tuple[str, int]]) -> list[Band]:
    """One for each name and its number of lanes."""
    laid: list[Band] = []
    top = 0
    for name, count in names:
        text = label(name)
        first = top + TEXT_LINE * (text.count("<br>") + 1) + LANE // 2
        laid.append(Band(text, top, tuple(first + LANE * lane for lane in range(count))))
        top = laid[-1].bottom
    return laid


def banded(traces: list[Any], laid: list[Band], xaxis: dict[str, Any]) -> str:
    """The figure; its y axis counts pixels from the top."""
    height = laid[-1].bottom
    texts = [
        {
            "text": band.text,
            "x": 0, "xref": "paper", "xanchor": "left",
            "y": band.top, "yanchor": "top",
            "align": "left", "showarrow": False,
        }
        for band in laid
    ]  # fmt: skip
    return figure(
        traces,
        height + MARGIN["t"] + MARGIN["b"],
        margin=MARGIN,
        xaxis=xaxis,
        yaxis={"range": [height, 0], "visible": False, "fixedrange": True},
        annotations=texts,
        hovermode="closest",
    )
