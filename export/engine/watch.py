"""Following a build step by step, and ending it."""

import threading
from typing import Any, Protocol

from export.engine.library import Library


class Watch(Protocol):
    """Follows a build, from another thread; phases lie inside each other."""

    def begin(self, phase: str, parent: str | None, steps: int) -> None:
        """A phase of so many steps begins."""

    def step(self, phase: str, index: int) -> None:
        """A step of it is done."""

    def end(self, phase: str) -> None:
        """It is over."""


class Unwatched:
    """Nobody looks."""

    def begin(self, phase: str, parent: str | None, steps: int) -> None:
        """Nothing."""

    def step(self, phase: str, index: int) -> None:
        """Nothing."""

    def end(self, phase: str) -> None:
        """Nothing."""


def monitor_of(library: Library, watch: Watch, cancelled: threading.Event) -> Any:
    """The library's ``IProgressMonitor``: tells ``watch``, and ends the build once cancelled."""
    base = library.module.IProgressMonitor

    class Monitor(base):  # type: ignore[misc, valid-type]
        def __init__(self) -> None:
            base.__init__(self)

        def phase_start(self, phase: str, parent: str | None, steps: int) -> None:
            watch.begin(phase, parent, steps)

        def step_complete(self, phase: str, index: int) -> bool:
            watch.step(phase, index)
            return not cancelled.is_set()

        def phase_finish(self, phase: str) -> None:
            watch.end(phase)

    return Monitor()
