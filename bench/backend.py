"""What a runtime must be able to do to be measured."""

import importlib
import pkgutil
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache, cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from bench.records import Claim, Precision, Workload
from export.lowering.plan import DEFAULT, NONE
from export.optional import cause, remedy
from export.request import ExportRequest
from hifigan_ref.errors import UsageError, nearest

if TYPE_CHECKING:
    from export.artifact import Artifact
    from hifigan_ref.trained import Trained

UNSET = -(2**31)  # in an output of integers that no pass has written
NOT_LOOKED_INTO = ("_session", "_context")


@dataclass(frozen=True)
class Option:
    """Something that may be set: ``--backend NAME:OPTION=VALUE,OPTION=VALUE``.

    Attributes:
        name: as typed.
        allowed: every value; the first is the default.
        meaning: one line.
        other: what else may be given, in words; nothing where it is empty.
        note: why something that others have is not offered.
    """

    name: str
    allowed: tuple[str, ...]
    meaning: str
    other: str = ""
    note: str = field(default="", kw_only=True)

    def is_other(self, value: str) -> bool:
        """Whether a value that is not in the list may be what else may be given."""
        return bool(self.other and value)

    def check(self, value: str, backend: str) -> None:
        """Raises UsageError for what is no value, or a word of the list with a slip."""
        if value in self.allowed:
            return
        near = nearest(value, self.allowed)
        if self.is_other(value) and not (near and _is_word(value)):
            return
        allowed = ", ".join((*self.allowed, *filter(None, [self.other])))
        note = f" ({self.note})" if self.note else ""
        raise UsageError(
            f"{value!r} is no value of {backend}'s {self.name}: {near}choose from {allowed}{note}"
        )


LOWERING = Option(
    "lowering", (NONE, DEFAULT), "exact rewrites of the file", "a plan of hifi-bench tune"
)


@dataclass(frozen=True)
class Case:
    """Everything a backend may take to run a workload.

    Attributes:
        workload: what is run.
        request: the graph's.
        build: gives the PyTorch network, norms in place; asked by those that need it.
        artifact: the exported file.
        inputs: (N, 1, T) each, by name.
        flops: floating-point operations of one pass.
        options: a value for each option of the backend.
        runtime: what the runtime is asked to compute the graph's float32 in.
    """

    workload: Workload
    request: ExportRequest
    build: Callable[[], "Trained"]
    artifact: "Artifact"
    inputs: Mapping[str, NDArray[np.float32]]
    flops: int
    options: Mapping[str, str] = field(default_factory=dict)
    runtime: Precision = "fp32"

    @cached_property
    def trained(self) -> "Trained":
        """The PyTorch network, norms in place."""
        return self.build()


class Session(Protocol):
    """A runtime that is ready: inputs resident, everything compiled that can be ahead of time."""

    @property
    def stream(self) -> int | None:
        """Raw ``cudaStream_t`` that it runs on, or None on a CPU; picks the clock."""

    def load(self, inputs: Mapping[str, NDArray[np.float32]]) -> None:
        """Copy waveforms of the same shapes from the host into the resident inputs."""

    def poison(self) -> None:
        """Fill the output buffers with NaN, so that an old pass cannot stand in for a new one."""

    def run(self) -> None:
        """Start one pass."""

    def wait(self) -> None:
        """Return when the pass has finished."""

    def outputs(self) -> dict[str, NDArray[np.floating]]:
        """What the last pass computed, by name."""

    def settings(self) -> dict[str, str]:
        """What was set, as read back from the runtime."""

    def proof(self) -> tuple[Claim, ...]:
        """What was asked beside what the last pass ran; empty where nothing else could run."""

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

    @property
    def options(self) -> tuple[Option, ...]:
        """What may be set."""

    def missing(self) -> str | None:
        """Why it cannot run here and what to install, or None."""

    def prepare(self, case: Case) -> Session:
        """Make it ready; may compile; timed apart."""


def lacking(backend: Backend) -> str | None:
    """Why a backend cannot run here, or None; a library that fails in its own way is a reason."""
    try:
        return backend.missing()
    except Exception as error:  # noqa: BLE001 - a broken installation can fail in any way
        mend = remedy(error, "mend that, or install its libraries anew")
        return f"{backend.name} cannot say what it lacks ({cause(error)}): {mend}"


@cache
def backends() -> dict[str, Backend]:
    """Every backend: each file of ``bench/backends/`` that defines ``BACKENDS``, by name.

    Files that end as one of ``NOT_LOOKED_INTO`` import a runtime, which may not be here.
    """
    package = importlib.import_module("bench.backends")
    names = sorted(info.name for info in pkgutil.iter_modules(package.__path__))
    backends = [name for name in names if not name.endswith(NOT_LOOKED_INTO)]
    modules = [importlib.import_module(f"bench.backends.{name}") for name in backends]
    found: list[Backend] = [b for module in modules for b in getattr(module, "BACKENDS", ())]
    return {backend.name: backend for backend in sorted(found, key=_peers_first)}


def find(spec: str) -> tuple[Backend, dict[str, str]]:
    """The backend and a value for each of its options: ``trt:precision=fp16,cuda_graph=on``.

    Raises:
        UsageError: no such backend, option or value.
    """
    name, told = parted(spec)
    backend = backends().get(name)
    if backend is None:
        near = nearest(name, backends())
        raise UsageError(f"no backend {name!r}: {near}choose from {', '.join(backends())}")
    known = {option.name: option for option in backend.options}
    values = {option.name: option.allowed[0] for option in backend.options}
    for key, value in told:
        if key not in known:
            allowed = ", ".join(known) or "none"
            near = nearest(key, known)
            raise UsageError(f"{name} has no option {key!r}: {near}it has {allowed}")
        known[key].check(value, name)
        values[key] = value
    return backend, values


def _is_word(value: str) -> bool:
    """Whether it looks like no file: a plan may have any name, but is somewhere."""
    path = Path(value)
    return not path.suffix and value == path.name and not path.exists()


def parted(spec: str) -> tuple[str, list[tuple[str, str]]]:
    """The name of a backend as typed, and its options with their values, known or not."""
    name, _, rest = spec.partition(":")
    pairs = [text.partition("=") for text in rest.split(",")] if rest else []
    return name, [(key, value) for key, _, value in pairs]


def joined(name: str, options: Iterable[tuple[str, object]]) -> str:
    """The other way."""
    told = ",".join(f"{key}={value}" for key, value in options)
    return f"{name}:{told}" if told else name


def with_option(spec: str, name: str, value: object) -> str:
    """A backend as typed, with one more option."""
    backend, options = parted(spec)
    return joined(backend, [*options, (name, value)])


def _peers_first(backend: Backend) -> tuple[bool, str]:
    """PyTorch, which the others are measured against, comes first."""
    return (not backend.name.startswith("torch"), backend.name)
