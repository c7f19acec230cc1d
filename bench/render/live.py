"""A progress bar on standard error while a sweep runs."""

from collections.abc import Iterable

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
)

from bench.records import Result
from bench.suite import Phase


def watch(steps: Iterable[Phase | Result], total: int) -> tuple[Result, ...]:
    """Follow a sweep of ``total`` results to its end and return them."""
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}", markup=False),
        BarColumn(20),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    results = []
    console = Console(stderr=True)
    with Progress(
        *columns,
        console=console,
        transient=True,
        redirect_stdout=False,
        disable=not console.is_terminal,
    ) as progress:
        task = progress.add_task("starting", total=total)
        for step in steps:
            if isinstance(step, Phase):
                progress.update(task, description=step.label)
            else:
                results.append(step)
                progress.advance(task)
    return tuple(results)
