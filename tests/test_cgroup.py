"""Limits of control groups, read from trees as systems and containers show them."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from export import cgroup
from export.cgroup import cpu_quota, memory_limits

UNLIMITED = "9223372036854771712"  # what version 1 writes where nothing was set
Files = dict[str, str]  # path below the mounts -> content
Pretend = Callable[[str, dict[str, str], Files], Path]


@pytest.fixture
def pretend(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Pretend:
    """The process's groups, what is mounted (options and root of each tree) and files in it."""

    def make(groups: str, mounts: dict[str, str], files: Files) -> Path:
        place = tmp_path / "a folder"
        lines = ["23 1 8:1 / / rw,relatime shared:1 - ext4 /dev/vda1 rw"]
        for number, (name, told) in enumerate(mounts.items()):
            root, _, options = told.partition(" ")
            point = str(place / name).replace(" ", "\\040")
            kind = "cgroup" if options else "cgroup2"
            lines.append(
                f"{number} 23 0:{number} {root} {point} rw,nosuid shared:{number} master:1 "
                f"- {kind} {kind} rw,{options or 'nsdelegate'}"
            )
        for name, content in files.items():
            path = place / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content + "\n")
        for name, text in (("GROUPS", groups), ("MOUNTS", "\n".join(lines))):
            path = tmp_path / name
            path.write_text(text + "\n")
            monkeypatch.setattr(cgroup, name, path)
        return place

    return make


UNIFIED = {"fs": "/"}
SEPARATE = {"fs/cpu,cpuacct": "/ cpu,cpuacct", "fs/memory": "/ memory"}
QUOTAS: dict[str, tuple[str, dict[str, str], Files, float]] = {
    "own group": ("0::/a", UNIFIED, {"fs/a/cpu.max": "50000 100000"}, 0.5),
    "no limit": ("0::/a", UNIFIED, {"fs/a/cpu.max": "max 100000"}, 0),
    "group above": (
        "0::/a/b/c",
        UNIFIED,
        {"fs/a/cpu.max": "150000 100000", "fs/a/b/cpu.max": "max 100000"},
        1.5,
    ),
    "the smallest of all levels": (
        "0::/a/b",
        UNIFIED,
        {"fs/a/cpu.max": "100000 50000", "fs/a/b/cpu.max": "400000 100000"},
        2,
    ),
    "a sibling's is not ours": (
        "0::/a/b",
        UNIFIED,
        {"fs/a/c/cpu.max": "50000 100000", "fs/a/b/c/cpu.max": "50000 100000"},
        0,
    ),
    "what lies above what is mounted is no group": (
        "0::/a",
        UNIFIED,
        {"cpu.max": "10000 100000", "fs/a/cpu.max": "50000 100000"},
        0.5,
    ),
    "a container's namespace": ("0::/", UNIFIED, {"fs/cpu.max": "350000 100000"}, 3.5),
    "a container that sees the names of its host": (
        "0::/docker/abc",
        {"fs": "/docker/abc"},
        {"fs/cpu.max": "200000 100000"},
        2,
    ),
    "below what is mounted": (
        "0::/docker/abc/inner",
        {"fs": "/docker/abc"},
        {"fs/cpu.max": "max 100000", "fs/inner/cpu.max": "25000 100000"},
        0.25,
    ),
    "a group that is not below what is mounted": (
        "0::/../other",
        UNIFIED,
        {"fs/cpu.max": "200000 100000", "other/cpu.max": "50000 100000"},
        2,
    ),
    "another root with a like name": (
        "0::/docker/abcdef",
        {"fs": "/docker/abc"},
        {"fs/cpu.max": "200000 100000", "fs/def/cpu.max": "50000 100000"},
        2,
    ),
    "a group that is gone": ("0::/a/b (deleted)", UNIFIED, {"fs/a/cpu.max": "50000 100000"}, 0.5),
    "no file": ("0::/a", UNIFIED, {}, 0),
    "an empty file": ("0::/a", UNIFIED, {"fs/a/cpu.max": ""}, 0),
    "nonsense": ("0::/a", UNIFIED, {"fs/a/cpu.max": "what"}, 0),
    "a period of nothing": ("0::/a", UNIFIED, {"fs/a/cpu.max": "1 0"}, 0),
    "version 1": (
        "4:cpu,cpuacct:/a",
        SEPARATE,
        {
            "fs/cpu,cpuacct/a/cpu.cfs_quota_us": "50000",
            "fs/cpu,cpuacct/a/cpu.cfs_period_us": "100000",
        },
        0.5,
    ),
    "version 1, without a limit": (
        "4:cpu,cpuacct:/a",
        SEPARATE,
        {
            "fs/cpu,cpuacct/a/cpu.cfs_quota_us": "-1",
            "fs/cpu,cpuacct/a/cpu.cfs_period_us": "100000",
        },
        0,
    ),
    "version 1, group above": (
        "5:memory:/m\n4:cpu,cpuacct:/a/b:c",
        SEPARATE,
        {
            "fs/cpu,cpuacct/a/cpu.cfs_quota_us": "150000",
            "fs/cpu,cpuacct/a/cpu.cfs_period_us": "50000",
            "fs/cpu,cpuacct/a/b:c/cpu.cfs_quota_us": "-1",
            "fs/cpu,cpuacct/a/b:c/cpu.cfs_period_us": "100000",
        },
        3,
    ),
    "both versions, limited by the first": (
        "4:cpu:/a\n1:name=systemd:/s\n0::/x",
        {"fs/cpu": "/ cpu", "fs/systemd": "/ xattr,name=systemd", "fs/unified": "/"},
        {"fs/cpu/a/cpu.cfs_quota_us": "50000", "fs/cpu/a/cpu.cfs_period_us": "100000"},
        0.5,
    ),
    "another controller's tree": (
        "5:cpuset:/a\n4:cpu:/",
        {"fs/cpuset": "/ cpuset", "fs/cpu": "/ cpu"},
        {"fs/cpuset/a/cpu.cfs_quota_us": "50000", "fs/cpuset/a/cpu.cfs_period_us": "100000"},
        0,
    ),
}


@pytest.mark.parametrize("case", QUOTAS)
def test_a_quota_is_the_smallest_from_the_own_group_up(pretend: Pretend, case: str) -> None:
    groups, mounts, files, expected = QUOTAS[case]
    pretend(groups, mounts, files)
    assert cpu_quota() == expected


MEMORY: dict[str, tuple[str, dict[str, str], Files, list[int]]] = {
    "version 2": (
        "0::/a/b",
        UNIFIED,
        {"fs/a/memory.max": "1073741824", "fs/a/b/memory.max": "max", "fs/memory.max": "max"},
        [2**30],
    ),
    "every level": (
        "0::/a/b",
        UNIFIED,
        {"fs/a/memory.max": "300", "fs/a/b/memory.max": "400"},
        [300, 400],
    ),
    "version 1": (
        "5:memory:/m/n\n0::/",
        SEPARATE,
        {
            "fs/memory/m/memory.limit_in_bytes": "536870912",
            "fs/memory/m/n/memory.limit_in_bytes": UNLIMITED,
        },
        [2**29, int(UNLIMITED)],
    ),
    "version 1, a group above what is mounted": (
        "5:memory:/",
        SEPARATE,
        {
            "fs/memory/memory.limit_in_bytes": UNLIMITED,
            "fs/memory/memory.stat": "cache 1\nhierarchical_memory_limit 700\ntotal_cache 2",
        },
        [700, int(UNLIMITED)],
    ),
    "version 2 tells other things by that name": (
        "0::/",
        UNIFIED,
        {"fs/memory.stat": "anon 5\nfile 6"},
        [],
    ),
    "no tree of memory": ("4:cpu:/", {"fs/cpu": "/ cpu"}, {"fs/cpu/memory.max": "5"}, []),
}


@pytest.mark.parametrize("case", MEMORY)
def test_limits_of_memory_are_of_every_level(pretend: Pretend, case: str) -> None:
    groups, mounts, files, expected = MEMORY[case]
    pretend(groups, mounts, files)
    assert sorted(memory_limits()) == expected


def test_a_namespace_below_what_is_mounted_is_searched_for_the_process(pretend: Pretend) -> None:
    """``unshare --cgroup`` leaves the mounts of its parent in place."""
    own, other = f"1\n{os.getpid()}", f"{os.getpid()}0"
    pretend(
        "0::/",
        {"fs": "/../.."},
        {
            "fs/a/cpu.max": "100000 100000",
            "fs/a/b/cgroup.procs": own,
            "fs/a/b/cpu.max": "max 100000",
            "fs/a/c/cgroup.procs": other,
            "fs/a/c/cpu.max": "10000 100000",
            "fs/d/cpu.max": "20000 100000",
        },
    )
    assert cpu_quota() == 1


def test_a_system_without_control_groups(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("GROUPS", "MOUNTS"):
        monkeypatch.setattr(cgroup, name, tmp_path / "none")
    assert cpu_quota() == 0
    assert memory_limits() == []
