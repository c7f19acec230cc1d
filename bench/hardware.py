"""What ran it and what it can reach at most: frozen records."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from bench.hole import NOT_TAKEN, Skipped, require

QUIET = 0.25  # CPUs' worth that a system takes of itself


@dataclass(frozen=True)
class Machine:
    """What ran it.

    Attributes:
        cpu: model name.
        cores: physical cores that the process may use, its quota included.
        memory_bytes: that the process may use: the machine's, or what its control group grants.
        load: average over the last minute at the start.
        system: operating system and release.
        versions: of Python and of every library that takes part.
        features: instructions of the CPU that change how fast a network runs.
        quota: cores' worth of CPU time that the control group grants, 0 without a limit, None in
            a report that does not tell.
        governor: of the CPU's frequency, or "" where the system does not tell.
        commit: of this tool's repository, or "" outside of one.
        gpu: state of the first GPU at the start, or why there is none.
    """

    cpu: str
    cores: int
    memory_bytes: int
    load: float
    system: str
    versions: Mapping[str, str]
    features: tuple[str, ...] = ()
    quota: float | None = None
    governor: str = ""
    commit: str = ""
    gpu: "GpuState | Skipped" = NOT_TAKEN


@dataclass(frozen=True)
class Others:
    """What other processes took of the CPUs while something was measured.

    Attributes:
        taken: CPUs' worth of time, on average.
        cpus: that this process may run on.
        spare: CPUs' worth that could be taken before a core of ours is shared.
    """

    taken: float
    cpus: int
    spare: float

    @property
    def crowd(self) -> bool:
        """Whether ours had to wait for them."""
        return self.taken > self.spare + QUIET

    def __str__(self) -> str:
        return f"other processes took {self.taken:.1f} of {self.cpus} cores"


def crowd(found: Iterable[Others | Skipped]) -> Others | None:
    """Those that took the most of what we had to wait for, or None."""
    told = [each for each in found if isinstance(each, Others) and each.crowd]
    return max(told, key=lambda each: each.taken, default=None)


@dataclass(frozen=True)
class GpuState:
    """A GPU as its driver tells it at one moment.

    Attributes:
        name: model.
        compute_capability: ``9.0``.
        driver: version.
        cuda: newest version of CUDA that the driver supports.
        memory_bytes: of the device.
        used_bytes: by everybody.
        sm_mhz: clock of the multiprocessors.
        memory_mhz: clock of the memory.
        throttle_reasons: why clocks are low, in the driver's words; empty is good.
        watts: drawn.
        celsius: temperature.
        ecc: whether memory errors are corrected.
        mig: whether the device is partitioned.
        other_processes: that compute on it.
    """

    name: str
    compute_capability: str
    driver: str
    cuda: str
    memory_bytes: int
    used_bytes: int
    sm_mhz: int
    memory_mhz: int
    throttle_reasons: tuple[str, ...]
    watts: float
    celsius: int
    ecc: bool
    mig: bool
    other_processes: int


@dataclass(frozen=True)
class GpuMoment:
    """What changes of a GPU's state, at one moment while it works.

    Attributes:
        sm_mhz: clock of the multiprocessors.
        memory_mhz: clock of the memory.
        throttle_reasons: why clocks are low, in the driver's words; empty is good.
        watts: drawn.
        celsius: temperature.
        other_processes: that compute on it.
    """

    sm_mhz: int
    memory_mhz: int
    throttle_reasons: tuple[str, ...]
    watts: float
    celsius: int
    other_processes: int

    @property
    def throttled(self) -> tuple[str, ...]:
        """The reasons that nobody set: a fixed clock is steady."""
        return tuple(each for each in self.throttle_reasons if not each.endswith("setting"))


@dataclass(frozen=True)
class Ceiling:
    """The fastest matrix product and the fastest copy seen at the start, on one device.

    Attributes:
        gflop_per_second: of square matrices.
        size: their side.
        threads: that computed it; 0 on a GPU.
        precision: of the matrices.
        gb_per_second: read and written by a copy far larger than the caches, 10^9 bytes; 0 where
            it was not measured.
    """

    gflop_per_second: float
    size: int
    threads: int
    precision: str = "fp32"
    gb_per_second: float = 0.0

    def __post_init__(self) -> None:
        require(0 < self.gflop_per_second < np.inf, "a ceiling is above 0 GFLOP/s")


@dataclass(frozen=True)
class Layer:
    """One layer of a graph: what it must compute and move, and how long a runtime took.

    Attributes:
        name: of the node.
        kind: operator.
        flops: two for a multiply-add.
        bytes: weights, inputs and outputs, each once.
        seconds: median of one pass in the runtime's own profiler, or why it was not taken.
    """

    name: str
    kind: str
    flops: int
    bytes: int
    seconds: float | Skipped = NOT_TAKEN
