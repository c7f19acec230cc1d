"""What was measured before on this machine, by this code and these versions: trials and plans.

A second run, and layers of the same geometry in other networks, are then free.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import TypeVar

from pydantic import TypeAdapter, ValidationError
from pydantic_core import to_json

from bench.geometry import Geometry
from bench.hardware import Machine
from bench.machine.conditions import conditions
from bench.mixing_record import MemberTrials
from bench.tuning_record import LayerTrials, Step
from export import atomic, store

KIND = "tuning"
FILE = "found.json"
Found = TypeVar("Found")
Improved = tuple[tuple[Step, ...], Mapping[str, str]]

TRIALS: TypeAdapter[LayerTrials] = TypeAdapter(LayerTrials)
MIXED: TypeAdapter[MemberTrials] = TypeAdapter(MemberTrials)
IMPROVED: TypeAdapter[Improved] = TypeAdapter(Improved)


class Kept:
    """Findings of one backend on one machine.

    Args:
        machine: which.
        backend: its name and options.
        threads: of a CPU runtime.
    """

    def __init__(self, machine: Machine, backend: str, threads: int) -> None:
        self._where = (conditions(machine), backend, threads)

    def trials(self, geometry: Geometry, forms: object) -> Path:
        """Where the trials of a layer lie, or would."""
        return self._place("trials", geometry, forms)

    def improved(self, *parts: object) -> Path:
        """Where the plan of a whole graph lies, or would."""
        return self._place("whole", *parts)

    def _place(self, *parts: object) -> Path:
        return store.place(KIND, store.key_of(self._where, *parts)) / FILE


def read(path: Path, kind: TypeAdapter[Found]) -> Found | None:
    """What lies there, or None where there is nothing, or nothing of this version."""
    try:
        return kind.validate_json(path.read_bytes())
    except (OSError, ValidationError):
        return None


def write(path: Path, found: object) -> None:
    """Keep it."""
    atomic.write_all({path: to_json(found, inf_nan_mode="strings")}, durable=False)
