"""What this machine is, and how much of it the process may use."""

import os
from collections.abc import Iterable
from importlib.metadata import version
from pathlib import Path

import psutil
import pytest

from bench.machine import survey as machine
from bench.machine import topology
from bench.machine.survey import this_machine, usable_cores
from bench.records import Skipped
from export import memory


def pretend(
    monkeypatch: pytest.MonkeyPatch,
    logical: int | None,
    physical: int | None,
    allowed: Iterable[int],
) -> None:
    """A machine of so many cores that tells no topology, and the CPUs that the process may use."""
    given = {True: logical, False: physical}
    monkeypatch.setattr(psutil, "cpu_count", lambda logical=True: given[logical])
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(allowed), raising=False)
    monkeypatch.setattr(topology, "CPUS", Path("no such folder"))
    monkeypatch.setattr(machine, "cpu_quota", lambda: 0.0)


@pytest.mark.parametrize(
    ("logical", "physical", "allowed", "cores"),
    [
        (8, 8, range(8), 8),
        (16, 8, range(16), 8),  # hyper-threads are no cores
        (16, 8, range(8), 8),  # one thread of each core
        (16, 8, (3, 11), 1),  # both threads of one
        (16, 8, (0,), 1),
        (32, 24, range(16), 8),  # eight fast cores of two threads, sixteen of one
        (32, 24, range(16, 32), 16),
        (4, None, range(4), 4),  # a system that does not tell
        (None, None, (0,), 1),
    ],
)
def test_cores_are_physical_and_within_the_affinity(
    monkeypatch: pytest.MonkeyPatch,
    logical: int | None,
    physical: int | None,
    allowed: Iterable[int],
    cores: int,
) -> None:
    pretend(monkeypatch, logical, physical, allowed)
    assert usable_cores() == cores


def test_cores_are_those_that_the_system_tells(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Both threads of a core are neighbours here, which no count of CPUs and cores says."""
    pretend(monkeypatch, 16, 8, range(8))
    monkeypatch.setattr(topology, "CPUS", tmp_path)
    for cpu in range(16):
        place = tmp_path / f"cpu{cpu}" / "topology" / "core_cpus_list"
        place.parent.mkdir(parents=True)
        place.write_text(f"{cpu // 2 * 2}-{cpu // 2 * 2 + 1}\n")
    assert usable_cores() == 4


def test_a_system_without_affinity_has_all_its_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    pretend(monkeypatch, 24, 16, ())
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    assert usable_cores() == 16


@pytest.mark.parametrize(
    ("quota", "cores"), [(0.0, 8), (0.5, 1), (1.5, 1), (2.0, 2), (3.5, 3), (16.0, 8)]
)
def test_cores_are_within_the_quota_of_the_control_group(
    monkeypatch: pytest.MonkeyPatch, quota: float, cores: int
) -> None:
    pretend(monkeypatch, 8, 8, range(8))
    monkeypatch.setattr(machine, "cpu_quota", lambda: quota)
    assert usable_cores() == cores


def test_this_machine_is_described() -> None:
    found = this_machine()
    assert found.cpu.strip() and found.system.strip()
    assert found.cores == usable_cores() >= 1
    assert 0 < found.memory_bytes <= psutil.virtual_memory().total
    assert found.load >= 0


def test_the_record_has_all_that_changes_a_time(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    governor = tmp_path / "scaling_governor"
    governor.write_text("performance\n")
    monkeypatch.setattr(machine, "GOVERNOR", governor)
    monkeypatch.setattr(machine, "cpu_quota", lambda: 1.5)
    monkeypatch.setattr(memory, "memory_limits", lambda: [2**20])
    monkeypatch.setattr(machine, "commit_of", lambda file: f"of {file.name}")
    monkeypatch.setattr(machine, "gpu_state", lambda: Skipped("no GPU"))
    found = this_machine()
    assert (found.governor, found.quota, found.commit) == ("performance", 1.5, "of survey.py")
    assert found.memory_bytes == 2**20
    assert found.features == machine.features()
    assert found.gpu == Skipped("no GPU")


def test_a_system_that_tells_no_governor(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(machine, "GOVERNOR", tmp_path / "none")
    assert this_machine().governor == ""


def test_versions_are_of_what_takes_part_and_is_installed() -> None:
    versions = this_machine().versions
    assert {"python", "torch", "onnx", "onnx-ir", "numpy"} <= set(versions)
    assert {"onnxruntime", "onnxruntime-gpu"} & set(versions)
    assert versions["torch"] == version("torch")
    assert all(versions.values())


def test_a_library_that_is_not_there_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "LIBRARIES", ("numpy", "no-such-library"))
    assert set(this_machine().versions) == {"python", "numpy"}
