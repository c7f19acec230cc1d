"""The best so far, while a tuner runs."""

from collections.abc import Iterator

from bench.bar import shown
from bench.tune.search import Progress
from bench.tuning_record import LayerTrials, Step


def watched(steps: Iterator[Progress], floor_db: float) -> Iterator[Progress]:
    """The same steps, shown as they come."""
    return shown(steps, lambda step: _told(step, floor_db))


def _told(step: Progress, floor_db: float) -> str | None:
    if isinstance(step, LayerTrials):
        best = step.contenders(floor_db)[0]
        return f"{step.names[0]}: {best.form}, {step.plain.median / best.median:.2f}x"
    if isinstance(step, Step) and step.kept:
        return f"{step.layer or step.member}: {step.form}, {1 / step.ratio:.2f}x the graph"
    return None
