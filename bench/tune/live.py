"""A progress bar on standard error with the best so far, while a tuner runs."""

from collections.abc import Iterator

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
)

from bench.tune.records import LayerTrials, Step
from bench.tune.search import Doing
from bench.tune.search import Progress as Found


def watched(steps: Iterator[Found], floor_db: float) -> Iterator[Found]:
    """The same steps, shown as they come."""
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
            elif isinstance(step, LayerTrials):
                best = step.contenders(floor_db)[0]
                gain = step.plain.median / best.median
                bar.console.print(f"{step.names[0]}: {best.form}, {gain:.2f}x", markup=False)
            elif isinstance(step, Step) and step.kept:
                told = f"{step.layer or step.member}: {step.form}, {1 / step.ratio:.2f}x the graph"
                bar.console.print(told, markup=False)
            yield step
