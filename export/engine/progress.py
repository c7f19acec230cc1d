"""A progress bar on standard error while engines are built."""

from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn


class BuildProgress:
    """Draws one bar over nested phases: a phase is a step of the one around it.

    Args:
        subject: what is being built.
        console: standard error unless told otherwise.
    """

    def __init__(self, subject: str, console: Console | None = None) -> None:
        console = console or Console(stderr=True)
        self._bar = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}", markup=False),
            BarColumn(20),
            TextColumn("{task.percentage:>3.0f} %"),
            TimeElapsedColumn(),
            console=console,
            transient=True,
            redirect_stdout=False,
            disable=not console.is_terminal,
        )
        self._task = self._bar.add_task(subject, total=1.0)
        self._subject = subject
        self._phases: dict[str, tuple[int, int]] = {}  # steps, done; the outermost first

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: object, trace: TracebackType | None
    ) -> None:
        self._bar.stop()

    def begin(self, phase: str, parent: str | None, steps: int) -> None:
        """A phase of so many steps begins."""
        del parent  # the one that began last and has not ended
        self._phases[phase] = (max(1, steps), 0)
        self._draw()

    def step(self, phase: str, index: int) -> None:
        """A step of it is done."""
        if phase in self._phases:
            self._phases[phase] = (self._phases[phase][0], index + 1)
        self._draw()

    def end(self, phase: str) -> None:
        """It is over."""
        self._phases.pop(phase, None)
        self._draw()

    @property
    def fraction(self) -> float:
        """Of the outermost phase, the steps inside its running one included."""
        share, found = 1.0, 0.0
        for steps, done in self._phases.values():
            found += share * min(done, steps) / steps
            share /= steps
        return min(found, 1.0)

    def _draw(self) -> None:
        inner = next(reversed(self._phases), "")
        told = f"{self._subject}: {inner}" if inner else self._subject
        self._bar.update(self._task, completed=self.fraction, description=told)
