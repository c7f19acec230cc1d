"""Files and folders that a living process owns, told from those that a killed one left behind.

The owner holds a lock (``flock``) on what it made for as long as it needs it. The system takes the
lock from a process that ends, however it ends, so whatever can be locked belongs to nobody. The
number of a process would not do: it is used again, and containers that share a folder count apart.

Where there are no such locks (Windows, some network file systems) nothing counts as left behind.
"""

import os
import shutil
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]


def own(path: Path) -> int | None:
    """Own what was just made, until the descriptor is closed; None where it was just swept away."""
    if fcntl is None:
        return os.open(os.devnull, os.O_RDONLY)
    try:
        descriptor = _open(path)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        lost = not _is_there(path, descriptor)
    except BlockingIOError:
        lost = True  # a sweep has it
    except OSError:
        lost = False  # no locks here, so that no sweep can have it
    if lost:
        os.close(descriptor)
        return None
    return descriptor


def sweep(paths: Iterable[Path]) -> None:
    """Remove those of this user's that no living process owns; what cannot be removed stays."""
    for path in paths:
        with suppress(OSError):
            _sweep(path)


def _sweep(path: Path) -> None:
    if fcntl is None or path.lstat().st_uid != os.geteuid():
        return
    descriptor = _open(path)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if not _is_there(path, descriptor):
            return  # it was put in its place, or another sweep was faster
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink()
    finally:
        os.close(descriptor)


def _open(path: Path) -> int:
    """A folder cannot be opened for writing; a file on NFS cannot be locked without."""
    access = os.O_RDONLY if path.is_dir() else os.O_RDWR
    return os.open(path, access | os.O_NOFOLLOW | os.O_NONBLOCK)


def _is_there(path: Path, descriptor: int) -> bool:
    """Whether the path still names what is open."""
    try:
        return os.path.samestat(path.lstat(), os.fstat(descriptor))
    except FileNotFoundError:
        return False
