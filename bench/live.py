"""A progress bar on standard error while a sweep runs."""

from collections.abc import Iterable
from dataclasses import dataclass

from bench.bar import bar
from bench.cell.group import Partial, Phase, Step
from bench.records import Result


@dataclass(frozen=True)
class Watched:
    """What a sweep came to.

    Attributes:
        results: rows, an interrupted one's last.
        interrupted: whether Ctrl-C ended it.
    """

    results: tuple[Result, ...]
    interrupted: bool


def watch(steps: Iterable[Step], total: int) -> Watched:
    """Follow a sweep of ``total`` results to its end, or to Ctrl-C."""
    results = []
    with bar() as progress:
        task = progress.add_task("starting", total=total)
        try:
            for step in steps:
                if isinstance(step, Phase):
                    progress.update(task, description=step.label)
                else:
                    results.append(step.result if isinstance(step, Partial) else step)
                    progress.advance(task)
        except KeyboardInterrupt:
            return Watched(tuple(results), interrupted=True)
    return Watched(tuple(results), interrupted=False)
