"""Control groups of either version, made for a check and removed after it."""

import os
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from time import sleep

from export import cgroup

JOIN = ("sh", "-c", 'echo $$ > "$0/cgroup.procs" && exec "$@"')
SECONDS = 5.0  # that the system may take to see the end of a group's last process


class UnavailableError(Exception):
    """Why something cannot be tried on this machine."""


@contextmanager
def limited(version: int, controller: str, settings: Mapping[str, str]) -> Iterator[list[str]]:
    """A group within a group with these settings: what puts a command into the inner one.

    Args:
        version: of control groups.
        controller: that the settings belong to.
        settings: files and what is written to them.

    Raises:
        UnavailableError: this machine has no such controller, or gives it to nobody.
    """
    tree = _tree(version, controller)
    outer = tree / f"hifi-limits-{os.getpid()}"
    with ExitStack() as stack:
        try:
            if version == 2:
                _pass_on(tree, controller, stack)
            for group in (outer, outer / "inner"):
                group.mkdir()
                stack.callback(_remove, group)
                # a set of CPUs is not taken over from the group above in version 1
                if group == outer or controller == "cpuset":
                    for name, value in settings.items():
                        (group / name).write_text(value)
                if version == 2 and group == outer:
                    _pass_on(group, controller, stack)
        except OSError as error:
            raise UnavailableError(f"no group can be made in {tree}: {error.strerror}") from None
        yield [*JOIN, str(outer / "inner")]


def _tree(version: int, controller: str) -> Path:
    """Where groups of a controller are made."""
    for mount in cgroup.mounts():
        if version == 2 and cgroup.UNIFIED in mount.controllers:
            there = (mount.point / "cgroup.controllers").read_text().split()
            if controller not in there:
                has = ", ".join(there) or "none"
                raise UnavailableError(f"version 2 has no {controller} controller here, but {has}")
            return mount.point
        if version == 1 and controller in mount.controllers:
            return cgroup.folder(mount, cgroup.groups()[controller])
    raise UnavailableError(f"no tree of version {version} with {controller} is mounted")


def _pass_on(group: Path, controller: str, stack: ExitStack) -> None:
    """Have the groups below have a controller too, as they did not before."""
    switch = group / "cgroup.subtree_control"
    if controller not in switch.read_text().split():
        switch.write_text(f"+{controller}")
        stack.callback(_write, switch, f"-{controller}")


def _write(path: Path, value: str) -> None:
    with suppress(OSError):
        path.write_text(value)


def _remove(group: Path) -> None:
    for _ in range(int(SECONDS / 0.1)):
        with suppress(OSError):
            group.rmdir()
            return
        sleep(0.1)
