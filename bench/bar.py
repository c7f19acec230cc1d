"""A progress bar on standard error, and lines above it, while something searches."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
)

Found = TypeVar("Found")


@dataclass(frozen=True)
class Doing:
    """What is being done now.

    Attributes:
        label: in words.
        done: pieces of work.
        total: pieces of work, as far as it is known.
    """

    label: str
    done: int
    total: int


@contextmanager
def bar() -> Iterator[Progress]:
    """Gone when the work is done, and not there at all where nobody watches."""
    console = Console(stderr=True)
    with Progress(
        SpinnerColumn(),
        TextColumn("{task.description}", markup=False),
        BarColumn(20),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=console,
        transient=True,
        redirect_stdout=False,
        disable=not console.is_terminal,
    ) as progress:
        yield progress


def shown(steps: Iterator[Found], told: Callable[[Found], str | None]) -> Iterator[Found]:
    """The same steps: ``Doing`` moves the bar, of others is said what they are told as."""
    with bar() as progress:
        task = progress.add_task("starting", total=None)
        for step in steps:
            if isinstance(step, Doing):
                progress.update(task, description=step.label, completed=step.done, total=step.total)
            elif (line := told(step)) is not None:
                progress.console.print(line, markup=False, highlight=False)
            yield step
