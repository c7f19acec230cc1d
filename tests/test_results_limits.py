"""The command that shows what this tool makes of limits: what is wrong, and what it lacks."""

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from bench.hardware import Machine
from bench.results import control_groups, limits
from bench.results.control_groups import UnavailableError, limited
from bench.results.limits_checks import (
    Check,
    half_a_core,
    judged,
    machine_in,
    masks,
    set_of_cpus,
    some_memory,
    without_home,
)
from export import cgroup
from export.cgroup import UNIFIED, Mount
from fakes import fake_report


def test_what_is_not_as_expected_is_told() -> None:
    assert judged("a", "1", "1").verdict == "as expected"
    assert judged("a", "1", "2").verdict == "NOT AS EXPECTED"
    assert judged("a", "1", "1", right=False).verdict == "NOT AS EXPECTED"
    assert judged("a", "about 1", "1.1", right=True).verdict == "as expected"


LACKING = Check("c", "", "there is no c", "not on this machine")


@pytest.mark.parametrize(
    ("checks", "code"),
    [
        ([judged("a", "1", "1"), LACKING], 0),
        ([judged("a", "1", "2"), judged("b", "1", "1")], 1),
    ],
)
def test_a_mismatch_is_an_exit_code(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, checks: list[Check], code: int
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(limits, "every_check", lambda: iter(checks))
    monkeypatch.setattr(limits, "machine_in", lambda _: fake_report().machine)
    monkeypatch.setattr(limits, "is_virtual", lambda: bool(code))
    with pytest.raises(SystemExit) as end:
        limits.main(tmp_path / "limits.json")
    assert (end.value.code or 0) == code
    told = json.loads((tmp_path / "limits.json").read_text())
    assert told["machine"]["cores"] == 2 and told["virtual"] is bool(code)
    assert [each["verdict"] for each in told["checks"]] == [each.verdict for each in checks]
    page = (tmp_path / "limits.md").read_text()
    assert all(f"| {each.tried} | {each.expected} | {each.found} |" in page for each in checks)
    assert ("a virtual machine." in page) is bool(code)


@pytest.mark.parametrize("flags", ["fpu hypervisor avx2", "fpu avx2"])
def test_a_virtual_machine_is_told_by_its_cpu(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, flags: str
) -> None:
    told = tmp_path / "cpuinfo"
    told.write_text(f"model name\t: hypervisor\nflags\t\t: {flags}\nbugs\t\t:\n")
    monkeypatch.setattr(limits, "CPU_INFO", told)
    assert limits.is_virtual() is ("hypervisor" in flags)


def test_only_root_sets_limits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(SystemExit, match="run it as root"):
        limits.main(tmp_path / "limits.json")


def test_what_a_machine_lacks_is_told_and_the_rest_is_tried(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def lacking(*_: object) -> Iterator[Check]:
        raise UnavailableError("there is no such thing")
        yield

    def there(*_: object) -> Iterator[Check]:
        yield judged("there", "1", "1")

    for name in ("half_a_core", "some_memory", "set_of_cpus", "without_home"):
        monkeypatch.setattr(limits, name, lacking)
    monkeypatch.setattr(limits, "masks", there)
    found = list(limits.every_check())
    assert [each.tried for each in found if each.verdict == "as expected"] == ["there"]
    rest = {each.found for each in found if each.verdict != "as expected"}
    assert rest == {"there is no such thing"} and len(found) == 8


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A tree of groups of version 2 that are plain folders."""
    (tmp_path / "cgroup.controllers").write_text("cpu memory\n")
    (tmp_path / "cgroup.subtree_control").write_text("memory\n")
    mounts = [Mount(frozenset({UNIFIED}), "/", tmp_path)]
    monkeypatch.setattr(cgroup, "mounts", lambda: iter(mounts))
    monkeypatch.setattr(control_groups, "SECONDS", 0.1)
    return tmp_path


@pytest.mark.parametrize(
    ("version", "controller", "told"),
    [
        (2, "cpuset", "version 2 has no cpuset controller here, but cpu, memory"),
        (1, "cpu", "no tree of version 1 with cpu is mounted"),
        (2, "memory", "no group can be made in .*: No such file or directory"),
    ],
)
@pytest.mark.usefixtures("tree")
def test_a_controller_that_is_not_there_is_told(version: int, controller: str, told: str) -> None:
    with pytest.raises(UnavailableError, match=told), limited(version, controller, {}):
        pass


def test_what_was_passed_on_is_taken_back(tree: Path) -> None:
    """Plain folders have no switch of their own, so that making the second group fails."""
    with pytest.raises(UnavailableError), limited(2, "cpu", {}):
        pass
    assert (tree / "cgroup.subtree_control").read_text() == "-cpu"
    assert not list(tree.glob("hifi-limits-*"))


REAL = {
    "half_a_core 1": lambda: half_a_core(1),
    "half_a_core 2": lambda: half_a_core(2),
    "memory 1": lambda: some_memory(1),
    "memory 2": lambda: some_memory(2),
    "cpuset 1": lambda: set_of_cpus(1),
    "cpuset 2": lambda: set_of_cpus(2),
    "taskset": masks,
    "no home": without_home,
}


@pytest.mark.parametrize("name", REAL)
def test_what_this_machine_can_do_is_as_expected(name: str) -> None:
    if os.geteuid():
        pytest.skip("limits are set by root")
    checks: list[Check] = []
    try:
        checks.extend(REAL[name]())
    except UnavailableError as error:
        if not checks:
            pytest.skip(str(error))
        raise
    assert checks and {check.verdict for check in checks} == {"as expected"}, checks


def test_what_does_not_run_is_no_machine() -> None:
    assert isinstance(machine_in(()), Machine)
    with pytest.raises(UnavailableError, match="there is no no-such-command"):
        machine_in(["no-such-command"])
    with pytest.raises(UnavailableError):
        machine_in(["false"])
