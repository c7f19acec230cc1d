"""What a workload is called in every view."""

from collections.abc import Collection

from bench.records import Workload
from hifigan_ref.network import Sizes, in_words
from hifigan_ref.views import View


def shape_name(sizes: Sizes) -> str:
    """``16 x 8192``."""
    return " x ".join(map(str, sizes.values()))


def outputs_name(views: Collection[View]) -> str:
    """``all`` or ``scores``."""
    return "scores" if "scores" in views else "all"


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


def _pair(load: Workload) -> str:
    return " real and generated" if "pair" in load.views else ""
