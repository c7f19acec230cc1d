"""The time that a command was given, from its start."""

from dataclasses import dataclass, field
from time import monotonic


@dataclass(frozen=True)
class Clock:
    """Runs from its construction.

    Attributes:
        minutes: that it was given.
        started: by the machine's own clock.
    """

    minutes: float
    started: float = field(default_factory=monotonic)

    @property
    def left(self) -> float:
        """Seconds, 0 when the time is over."""
        return max(0.0, self.started + 60 * self.minutes - monotonic())
