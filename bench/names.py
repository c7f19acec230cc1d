"""What rows and workloads are called in every view, and which of them stand together."""

from collections.abc import Callable, Collection, Hashable, Iterable
from dataclasses import replace
from typing import TypeVar

from bench.records import Result, Workload
from hifigan_ref.network import Sizes, in_words
from hifigan_ref.views import SCORES, View

Each = TypeVar("Each")
By = TypeVar("By", bound=Hashable)


def shape_name(sizes: Sizes) -> str:
    """``16 x 8192``."""
    return " x ".join(map(str, sizes.values()))


def outputs_name(views: Collection[View]) -> str:
    """``all`` or ``scores``."""
    return SCORES if SCORES in views else "all"


def workload_name(load: Workload) -> str:
    """Network, a length for each axis, and whether two batches pass at once."""
    return f"{load.variant}, {shape_name(load.sizes)}{_pair(load)}"


def series_name(load: Workload) -> str:
    """The same whatever its batch."""
    return f"{load.variant}, {in_words(load.sizes)}{_pair(load)}"


def full_name(load: Workload) -> str:
    """What two workloads of one name may differ in, too."""
    outputs = f"outputs {outputs_name(load.views)}"
    rest = f"{outputs}, {load.source}, {load.weights}, {load.threads} threads"
    return f"{workload_name(load)}, {rest}"


def row_name(result: Result) -> str:
    """A backend and what it ran."""
    return f"{result.backend} on {workload_name(result.workload)}"


def grouped(every: Iterable[Each], by: Callable[[Each], By]) -> dict[By, list[Each]]:
    """Those alike side by side, in the order of the first of each."""
    found: dict[By, list[Each]] = {}
    for each in every:
        found.setdefault(by(each), []).append(each)
    return found


def by_workload(results: Iterable[Result]) -> dict[Workload, list[Result]]:
    """Rows that were given the same input, whatever their precision."""
    return grouped(results, lambda result: replace(result.workload, precision="fp32"))


def _pair(load: Workload) -> str:
    return " real and generated" if "pair" in load.views else ""
