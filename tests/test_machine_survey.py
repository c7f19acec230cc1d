"""What this machine is, and how much of it the process may use."""

import os
from importlib.metadata import version
from pathlib import Path

import psutil
import pytest

from bench.machine import survey as machine
from bench.machine.survey import cpu_quota, this_machine, usable_cores
from bench.records import Skipped


def pretend(
    monkeypatch: pytest.MonkeyPatch, logical: int | None, physical: int | None, allowed: int
) -> None:
    """A machine of so many cores, of which the process may run on some."""
    given = {True: logical, False: physical}
    monkeypatch.setattr(psutil, "cpu_count", lambda logical=True: given[logical])
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(allowed)), raising=False)
    monkeypatch.setattr(machine, "CGROUP_QUOTA", Path("no such file"))


@pytest.mark.parametrize(
    ("logical", "physical", "allowed", "cores"),
    [
        (8, 8, 8, 8),
        (16, 8, 16, 8),  # hyper-threads are no cores
        (16, 8, 4, 2),  # pinned to four threads
        (16, 8, 1, 1),
        (4, None, 4, 4),  # a system that does not tell
        (None, None, 1, 1),
    ],
)
def test_cores_are_physical_and_within_the_affinity(
    monkeypatch: pytest.MonkeyPatch,
    logical: int | None,
    physical: int | None,
    allowed: int,
    cores: int,
) -> None:
    pretend(monkeypatch, logical, physical, allowed)
    assert usable_cores() == cores


@pytest.mark.parametrize(
    ("quota", "cores"),
    [
        ("max 100000", 8),
        ("200000 100000", 2),
        ("350000 100000", 3),
        ("50000 100000", 1),
        ("1600000 100000", 8),
        ("", 8),
        ("what", 8),
    ],
)
def test_cores_are_within_the_quota_of_the_control_group(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, quota: str, cores: int
) -> None:
    pretend(monkeypatch, 8, 8, 8)
    file = tmp_path / "cpu.max"
    file.write_text(f"{quota}\n")
    monkeypatch.setattr(machine, "CGROUP_QUOTA", file)
    assert usable_cores() == cores


def test_this_machine_is_described() -> None:
    found = this_machine()
    assert found.cpu.strip() and found.system.strip()
    assert found.cores == usable_cores() >= 1
    assert found.memory_bytes == psutil.virtual_memory().total
    assert found.load >= 0


@pytest.mark.parametrize(
    ("text", "cores"),
    [("max 100000", 0), ("200000 100000", 2), ("350000 100000", 3.5), ("", 0), ("1 0", 0)],
)
def test_the_quota_is_in_cores(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, text: str, cores: float
) -> None:
    file = tmp_path / "cpu.max"
    file.write_text(f"{text}\n")
    monkeypatch.setattr(machine, "CGROUP_QUOTA", file)
    assert cpu_quota() == cores


def test_the_record_has_all_that_changes_a_time(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    governor = tmp_path / "scaling_governor"
    governor.write_text("performance\n")
    quota = tmp_path / "cpu.max"
    quota.write_text("150000 100000\n")
    monkeypatch.setattr(machine, "GOVERNOR", governor)
    monkeypatch.setattr(machine, "CGROUP_QUOTA", quota)
    monkeypatch.setattr(machine, "commit_of", lambda file: f"of {file.name}")
    monkeypatch.setattr(machine, "gpu_state", lambda: Skipped("no GPU"))
    found = this_machine()
    assert (found.governor, found.quota, found.commit) == ("performance", 1.5, "of survey.py")
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
