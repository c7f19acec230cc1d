"""What a runtime must be able to do to be measured."""

import importlib
import pkgutil
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from bench.records import Workload
from export.artifact import Artifact
from export.request import ExportRequest

if TYPE_CHECKING:
    from hifigan_ref.trained import Trained


@dataclass(frozen=True)
class Case:
    """Everything a backend may take to run a workload.

    Attributes:
        workload: what is run.
        request: the graph's.
        trained: the PyTorch network, norms in place.
        artifact: the exported file.
        inputs: (N, 1, T) each, by name.
        flops: floating-point operations of one pass.
    """

    workload: Workload
    request: ExportRequest
    trained: "Trained"
    artifact: Artifact
    inputs: Mapping[str, NDArray[np.float32]]
    flops: int


class Session(Protocol):
    """A runtime that is ready: inputs resident, everything compiled that can be ahead of time."""

    @property
    def stream(self) -> int | None:
        """Raw ``cudaStream_t`` that it runs on, or None on a CPU; picks the clock."""

    def run(self) -> None:
        """Start one pass."""

    def wait(self) -> None:
        """Return when the pass has finished."""

    def outputs(self) -> dict[str, NDArray[np.floating]]:
        """What the last pass computed, by name."""

    def settings(self) -> dict[str, str]:
        """What was set, as read back from the runtime."""

    def close(self) -> None:
        """Give everything back."""


class Backend(Protocol):
    """A runtime. Stateless."""

    @property
    def name(self) -> str:
        """As in ``--backend``."""

    @property
    def purpose(self) -> str:
        """One line: what it runs and how."""

    def missing(self) -> str | None:
        """Why it cannot run here and what to install, or None."""

    def prepare(self, case: Case) -> Session:
        """Make it ready; may compile; timed apart."""


@cache
def backends() -> dict[str, Backend]:
    """Every backend: each file of ``bench/backends/`` that defines ``BACKENDS``, by name."""
    package = importlib.import_module("bench.backends")
    names = sorted(info.name for info in pkgutil.iter_modules(package.__path__))
    modules = [importlib.import_module(f"bench.backends.{name}") for name in names]
    found: list[Backend] = [b for module in modules for b in getattr(module, "BACKENDS", ())]
    return {backend.name: backend for backend in sorted(found, key=_peers_first)}


def _peers_first(backend: Backend) -> tuple[bool, str]:
    """PyTorch, which the others are measured against, comes first."""
    return (not backend.name.startswith("torch"), backend.name)
