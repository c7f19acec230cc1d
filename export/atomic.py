"""Files that are either the old one or the new one, whatever happens while they are written."""

import errno
import os
import re
import tempfile
from collections.abc import Mapping
from contextlib import ExitStack, suppress
from pathlib import Path

from export import owned, store
from hifigan_ref.errors import HifiError

PART = re.compile(r"\..+\.hifi-[a-z0-9_]{8}\.part")  # tempfile chooses what follows the hyphen


def write(path: Path, content: bytes) -> None:
    """Replace a file in one step; on an error no trace is left.

    Raises:
        HifiError: the folder cannot be written or the disk is full.
    """
    write_all({path: content})


def write_all(files: Mapping[Path, bytes], durable: bool = True) -> None:
    """Replace each file in one step, after all of them are on the disk; on an error none.

    Args:
        files: contents by path.
        durable: wait until the disk has them; not worth it for what is checked when it is read
            and can be made again.

    Raises:
        HifiError: a folder cannot be written or the disk is full.
    """
    parts: dict[Path, Path] = {}
    path = Path()
    with ExitStack() as stack:
        try:
            for path, content in files.items():
                path.parent.mkdir(parents=True, exist_ok=True)
                parts[path] = _part_of(path, stack)
                with parts[path].open("wb") as file:
                    file.write(content)
                    if durable:
                        file.flush()
                        os.fsync(file.fileno())
                parts[path].chmod(0o666 & ~_umask())
            for path in parts:
                if path.is_dir():
                    raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
            for path, part in parts.items():
                part.replace(path)
        except OSError as error:
            raise _explain(path, error) from None


def check_writable(folder: Path) -> None:
    """Refuse a folder early, before any work for it; nothing is made, and what was left is swept.

    Raises:
        HifiError: it, or the one it would be made in, cannot be written.
    """
    try:
        there = next(path for path in (folder, *folder.absolute().parents) if path.exists())
        with tempfile.TemporaryFile(dir=there):
            pass
    except OSError as error:
        raise _explain(folder, error) from None
    sweep_parts(folder)


def sweep_parts(folder: Path) -> None:
    """Remove the parts in a folder that no living process is writing; never fails."""
    with suppress(OSError):
        owned.sweep(path for path in folder.iterdir() if PART.fullmatch(path.name))


def _part_of(path: Path, stack: ExitStack) -> Path:
    """A new file for the content, this process's own until the stack is left, and then gone."""
    folder = _workshop(path)
    folder.mkdir(parents=True, exist_ok=True)
    sweep_parts(folder)
    while True:
        handle, name = tempfile.mkstemp(dir=folder, prefix=f".{path.name}.hifi-", suffix=".part")
        os.close(handle)
        part = Path(name)
        stack.callback(part.unlink, missing_ok=True)
        descriptor = owned.own(part)
        if descriptor is not None:
            stack.callback(os.close, descriptor)
            return part


def _workshop(path: Path) -> Path:
    """Where a file is written before it is put in place.

    1. In the cache: one folder for each kind, so that a sweep need not look into every entry.
    2. Elsewhere: beside it.
    """
    with suppress(HifiError):
        for place in store.parts():
            if path.is_relative_to(place.parent):
                return place
    return path.parent


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def _explain(path: Path, error: OSError) -> HifiError:
    reason = error.strerror or str(error)
    if error.errno == errno.ENOSPC:
        remedy = "free some space"
    elif _workshop(path) != path.parent:
        remedy = f"set {store.FOLDER_VARIABLE} to another folder"
    else:
        remedy = "choose another --out"
    return HifiError(f"cannot write {path}: {reason}: {remedy}")
