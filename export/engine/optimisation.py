"""The optimisation profile: lengths of each axis that an engine accepts, and its best ones."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from export.request import LONGEST, ExportRequest
from hifigan_ref.errors import HifiError
from hifigan_ref.network import BATCH, Axis, Sizes

Asked = tuple[int | None, int | None, int | None]  # min, opt, max; None where nothing was said
NOTHING: Asked = (None, None, None)
SHARE = 4  # a profile begins at this part of a typical length


@dataclass(frozen=True)
class Span:
    """One axis.

    Attributes:
        axis: its name.
        least: smallest length that the engine accepts.
        best: length that it is tuned for.
        most: largest length that it accepts.

    Raises:
        HifiError: on construction, if they are not positive and in order.
    """

    axis: str
    least: int
    best: int
    most: int

    def __post_init__(self) -> None:
        if self.least < 1:
            raise HifiError(f"a profile of {self.option}: lengths are 1 or more")
        if not self.least <= self.best <= self.most:
            raise HifiError(f"a profile of {self.option} is out of order: give min <= opt <= max")

    def __contains__(self, length: int) -> bool:
        return self.least <= length <= self.most

    def __str__(self) -> str:
        return f"{self.axis} {self.least} to {self.most}"

    @property
    def option(self) -> str:
        """As ``--axis`` takes it: ``batch=1:16:32``."""
        return f"{self.axis}={self.least}:{self.best}:{self.most}"


@dataclass(frozen=True)
class Profile:
    """Every axis of every input."""

    spans: tuple[Span, ...]

    def __str__(self) -> str:
        return ", ".join(map(str, self.spans))

    def shapes(self, shape: Sequence[int | str]) -> tuple[tuple[int, ...], ...]:
        """Of an input with fixed lengths and names of axes: smallest, best, largest."""
        spans = {span.axis: span for span in self.spans}
        return tuple(
            tuple(getattr(spans[n], end) if isinstance(n, str) else n for n in shape)
            for end in ("least", "best", "most")
        )

    def check(self, sizes: Sizes) -> None:
        """Raises HifiError for lengths that the engine does not accept."""
        for span in self.spans:
            if sizes[span.axis] not in span:
                raise HifiError(
                    f"{span.axis} {sizes[span.axis]} is outside of the engine's profile: choose "
                    f"{span.least} to {span.most}, or build another engine"
                )

    def options(self) -> str:
        """As typed on the command line."""
        return " ".join(f"--axis {span.option}" for span in self.spans)


def exactly(sizes: Sizes) -> Profile:
    """A profile of one length for each axis."""
    return Profile(tuple(Span(axis, *(length,) * 3) for axis, length in sizes.items()))


def profile_for(graph: ExportRequest, sizes: Sizes, asked: Mapping[str, Asked]) -> Profile:
    """The profile of a graph: what was asked for, else the usual; a fixed axis has one length.

    Args:
        graph: whose axes.
        sizes: lengths of those that are fixed.
        asked: of each axis, as far as something was said.

    Raises:
        HifiError: out of order, too small or large, against a fixed axis, or of no axis.
    """
    axes = graph.signature.axes
    for name, lengths in asked.items():
        if name not in axes and any(length is not None for length in lengths):
            raise HifiError(
                f"a profile for {name}, which {graph.variant} has not: choose from "
                f"{', '.join(axes)}"
            )
    return Profile(
        tuple(
            _span(axis, asked.get(name, NOTHING), sizes.get(name), str(graph.variant))
            for name, axis in axes.items()
        )
    )


def _span(axis: Axis, asked: Asked, fixed: int | None, variant: str) -> Span:
    given = [length for length in asked if length is not None]
    if fixed is not None:
        other = next((length for length in given if length != fixed), fixed)
        if other != fixed:
            raise HifiError(
                f"a profile for {axis.name} {other} against a file whose {axis.name} is fixed to "
                f"{fixed}: leave the profile out, or export with a dynamic axis"
            )
        return Span(axis.name, fixed, fixed, fixed)
    least, best, most = asked
    most = max(axis.largest, *given) if most is None and given else most or axis.largest
    least = min(_first(axis), most, *given) if least is None else least
    best = min(max(axis.typical, least), most) if best is None else best
    span = Span(axis.name, least, best, most)
    if most > LONGEST:
        raise HifiError(
            f"a profile of {span.option} is more than an engine's axis holds: choose {LONGEST} or "
            "less"
        )
    if least < axis.smallest:
        raise HifiError(
            f"a profile of {span.option} begins too short for {variant}: choose {axis.smallest} or "
            "more"
        )
    return span


def _first(axis: Axis) -> int:
    return 1 if axis.name == BATCH else max(axis.smallest, axis.typical // SHARE)
