"""A progress bar on standard error, and lines above it, while something searches."""

from collections.abc import Callable, Iterator
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


def shown(steps: Iterator[Found], told: Callable[[Found], str | None]) -> Iterator[Found]:
    """The same steps: ``Doing`` moves the bar, of others is said what they are told as."""
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}", markup=False),
        BarColumn(20),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    console = Console(stderr=True)
    with Progress(
        *columns,
        console=console,
        transient=True,
        redirect_stdout=False,
        disable=not console.is_terminal,
    ) as bar:
        task = bar.add_task("starting", total=None)
        for step in steps:
            if isinstance(step, Doing):
                bar.update(task, description=step.label, completed=step.done, total=step.total)
            elif (line := told(step)) is not None:
                bar.console.print(line, markup=False, highlight=False)
            yield step
