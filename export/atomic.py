"""Files that are either the old one or the new one, whatever happens while they are written."""

import errno
import glob
import os
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

from hifigan_ref.errors import HifiError

LEFT_SECONDS = 3600  # no write lasts as long


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
    written: dict[Path, Path] = {}
    path = Path()
    try:
        for path, content in files.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            _remove_leftovers(path)
            handle, name = tempfile.mkstemp(
                dir=path.parent, prefix=f".{path.name}.", suffix=".part"
            )
            written[path] = Path(name)
            with os.fdopen(handle, "wb") as file:
                file.write(content)
                if durable:
                    file.flush()
                    os.fsync(file.fileno())
            written[path].chmod(0o666 & ~_umask())
        for path in written:
            if path.is_dir():
                raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        for path, temporary in written.items():
            temporary.replace(path)
    except OSError as error:
        raise _explain(path, error) from None
    finally:
        for temporary in written.values():
            temporary.unlink(missing_ok=True)


def check_writable(folder: Path) -> None:
    """Refuse a folder early, before any work for it; nothing is made.

    Raises:
        HifiError: it, or the one it would be made in, cannot be written.
    """
    try:
        there = next(path for path in (folder, *folder.absolute().parents) if path.exists())
        with tempfile.TemporaryFile(dir=there):
            pass
    except OSError as error:
        raise _explain(folder, error) from None


def _remove_leftovers(path: Path) -> None:
    """Parts that a killed process left behind long ago."""
    for part in path.parent.glob(f".{glob.escape(path.name)}.*.part"):
        if time.time() - part.stat().st_mtime > LEFT_SECONDS:
            part.unlink(missing_ok=True)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def _explain(path: Path, error: OSError) -> HifiError:
    reason = error.strerror or str(error)
    remedy = "free some space" if error.errno == errno.ENOSPC else "choose another --out"
    return HifiError(f"cannot write {path}: {reason}: {remedy}")
