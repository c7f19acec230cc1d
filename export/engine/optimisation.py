"""The optimisation profile: batches and lengths that an engine accepts, and those it is best at."""

from collections.abc import Mapping
from dataclasses import dataclass

from export.artifact import Manifest
from export.request import MOST_BATCH, MOST_SAMPLES, ExportRequest
from hifigan_ref.errors import HifiError

Asked = tuple[int | None, int | None, int | None]  # min, opt, max; None where nothing was said

DEFAULTS: Mapping[str, tuple[int, int, int]] = {
    "batch": (1, 16, 32),
    "samples": (2048, 8192, 220500),
}
MOST: Mapping[str, int] = {"batch": MOST_BATCH, "samples": MOST_SAMPLES}  # far within 32 bits


@dataclass(frozen=True)
class Span:
    """One axis.

    Attributes:
        axis: ``batch`` or ``samples``.
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
        told = f"a profile of --min-{self.axis} {self.least}, --opt-{self.axis} {self.best}, "
        told += f"--max-{self.axis} {self.most}"
        if self.least < 1:
            raise HifiError(f"{told}: lengths are 1 or more")
        if not self.least <= self.best <= self.most:
            raise HifiError(f"{told} is out of order: give min <= opt <= max")

    def __contains__(self, length: int) -> bool:
        return self.least <= length <= self.most

    def __str__(self) -> str:
        return f"{self.least} to {self.most}"


@dataclass(frozen=True)
class Profile:
    """Both axes of every input."""

    batch: Span
    samples: Span

    def shapes(self) -> tuple[tuple[int, int, int], ...]:
        """(N, 1, T) of an input: smallest, best, largest."""
        ends = ("least", "best", "most")
        return tuple((getattr(self.batch, end), 1, getattr(self.samples, end)) for end in ends)

    def check(self, batch: int, samples: int) -> None:
        """Raises HifiError for a shape that the engine does not accept."""
        for span, length in ((self.batch, batch), (self.samples, samples)):
            if length not in span:
                raise HifiError(
                    f"{span.axis} {length} is outside of the engine's profile: choose {span}, "
                    "or build another engine"
                )

    def options(self) -> str:
        """As typed on the command line."""
        spans = (self.batch, self.samples)
        return " ".join(
            f"--{name}-{span.axis} {length}"
            for span in spans
            for name, length in (("min", span.least), ("opt", span.best), ("max", span.most))
        )


def exactly(batch: int, samples: int) -> Profile:
    """A profile of one shape."""
    return Profile(Span("batch", batch, batch, batch), Span("samples", *(samples,) * 3))


@dataclass(frozen=True)
class Axes:
    """What a graph allows.

    Attributes:
        variant: network.
        batch: N, or None where dynamic.
        samples: T, or None where dynamic.
        min_samples: smallest T that the reflect pad accepts.
    """

    variant: str
    batch: int | None
    samples: int | None
    min_samples: int


def axes_of(graph: ExportRequest | Manifest) -> Axes:
    """The axes of a graph that will be, or is, in a file."""
    shortest = graph.min_samples if isinstance(graph, Manifest) else graph.variant.min_samples()
    return Axes(str(graph.variant), graph.batch, graph.samples, shortest)


def profile_for(axes: Axes, batch: Asked, samples: Asked) -> Profile:
    """The profile of a graph: what was asked for, else the defaults; a fixed axis has one length.

    Raises:
        HifiError: out of order, too large, outside of the reflect pad's limit, or against a fixed
            axis.
    """
    fitted = Profile(_span("batch", batch, axes.batch), _span("samples", samples, axes.samples))
    if fitted.samples.least < axes.min_samples:
        raise HifiError(
            f"--min-samples {fitted.samples.least} is too short for {axes.variant}: choose "
            f"{axes.min_samples} or more (a reflect pad must be shorter than the signal)"
        )
    return fitted


def _span(axis: str, asked: Asked, fixed: int | None) -> Span:
    given = [length for length in asked if length is not None]
    if fixed is not None:
        other = next((length for length in given if length != fixed), fixed)
        if other != fixed:
            raise HifiError(
                f"a profile for {axis} {other} against a file whose {axis} is fixed to {fixed}: "
                "leave the profile out, or export with a dynamic axis"
            )
        return Span(axis, fixed, fixed, fixed)
    least, best, most = asked
    usual_least, usual_best, usual_most = DEFAULTS[axis]
    most = max(usual_most, *given) if most is None and given else most or usual_most
    least = min(usual_least, most, *given) if least is None else least
    best = min(max(usual_best, least), most) if best is None else best
    span = Span(axis, least, best, most)
    for name, length in (("min", least), ("opt", best), ("max", most)):
        if length > MOST[axis]:
            raise HifiError(
                f"--{name}-{axis} {length} is more than an engine's axis holds: choose "
                f"{MOST[axis]} or less"
            )
    return span
