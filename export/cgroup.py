"""What Linux's control groups grant this process: time of CPUs and bytes of memory.

A limit holds for a group and for all groups below it. So every level counts, from the process's own
group up to the root of what is mounted, in version 1, where each controller has a tree of its own,
and in version 2, which has one tree. A machine may have both.
"""

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

GROUPS = Path("/proc/self/cgroup")
MOUNTS = Path("/proc/self/mountinfo")
UNIFIED = ""  # what the tree of version 2 has in the place of a controller's name
QUOTAS = (("cpu.max",), ("cpu.cfs_quota_us", "cpu.cfs_period_us"))
MEMORY = ("memory.max", "memory.limit_in_bytes", "memory.stat")
GROUP = re.compile(r"^\d+:([^:]*):(.*)$", re.MULTILINE)
MOUNT = re.compile(r"^\S+ \S+ \S+ (\S+) (\S+) .*- (cgroup2?) \S+ (\S+)$", re.MULTILINE)
ABOVE = re.compile(r"hierarchical_memory_limit (\d+)")  # version 1 tells of groups not mounted too
BESIDE = re.compile(r"(/\.\.)+")  # a namespace begins below what is mounted


@dataclass(frozen=True)
class Mount:
    """A tree of groups, or a part of one, that is mounted.

    Attributes:
        controllers: whose tree it is.
        root: the group that is seen at ``point``.
        point: where.
    """

    controllers: frozenset[str]
    root: str
    point: Path


def cpu_quota() -> float:
    """Cores' worth of CPU time, the smallest of all levels; 0 where there is no limit."""
    quotas = [_quota(group) for group in _levels("cpu")]
    return min((quota for quota in quotas if quota), default=0.0)


def memory_limits() -> list[int]:
    """Bytes, of every level that has a limit; version 1 writes a huge number where it has none."""
    texts = [_read(group / name) for group in _levels("memory") for name in MEMORY]
    told = [above[1] if (above := ABOVE.search(text)) else text for text in texts]
    return [int(text) for text in told if text.isdecimal()]


def _quota(group: Path) -> float:
    for names in QUOTAS:
        try:
            quota, period = map(int, " ".join(_read(group / name) for name in names).split())
        except ValueError:
            continue  # "max", or no such file
        return quota / period if quota > 0 and period > 0 else 0.0
    return 0.0


def _levels(controller: str) -> Iterator[Path]:
    """The folders of the process's group and of every group above it."""
    own_groups = groups()
    for mount in mounts():
        for name in mount.controllers & {controller, UNIFIED} & set(own_groups):
            own = folder(mount, own_groups[name])
            yield own
            yield from (each for each in own.parents if each.is_relative_to(mount.point))


def groups() -> dict[str, str]:
    """The process's group by controller, from lines such as ``4:cpu,cpuacct:/user.slice``."""
    named = GROUP.findall(_read(GROUPS))
    return {name: group for names, group in named for name in names.split(",")}


def mounts() -> Iterator[Mount]:
    """Every tree of control groups that this process sees."""
    for root, point, kind, options in MOUNT.findall(_read(MOUNTS)):
        controllers = {UNIFIED} if kind == "cgroup2" else options.split(",")
        yield Mount(frozenset(controllers), _unescaped(root), Path(_unescaped(point)))


def folder(mount: Mount, group: str) -> Path:
    """Where a group of this process is seen; the top of what is mounted where it is not."""
    if BESIDE.fullmatch(mount.root):
        # the names of the levels between are not told: the group is the one that holds the process
        pattern = "*/" * mount.root.count("..") + f"{group.strip('/')}/cgroup.procs"
        members = mount.point.glob(pattern)
        own = (each.parent for each in members if str(os.getpid()) in _read(each).split())
        return next(own, mount.point)
    path = PurePosixPath(group)
    if ".." in path.parts or not path.is_relative_to(mount.root):
        return mount.point
    return mount.point / path.relative_to(mount.root)


def _unescaped(field: str) -> str:
    return re.sub(r"\\(\d{3})", lambda octal: chr(int(octal[1], 8)), field)


def _read(path: Path) -> str:
    try:
        return path.read_text().strip()
    except (OSError, ValueError):
        return ""
