"""Files that are either the old one or the new one, whatever happens while they are written."""

import errno
import os
import tempfile
from pathlib import Path

from hifigan_ref.errors import HifiError


def write(path: Path, content: bytes) -> None:
    """Replace a file in one step; on an error no trace is left.

    Raises:
        HifiError: the folder cannot be written or the disk is full.
    """
    temporary: Path | None = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".part")
        temporary = Path(name)
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.chmod(0o666 & ~_umask())
        temporary.replace(path)
        temporary = None
    except OSError as error:
        raise _explain(path, error) from None
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)


def check_writable(folder: Path) -> None:
    """Refuse a folder early, before hours of work for it; leaves the folder made.

    Raises:
        HifiError: it cannot be made or written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise _explain(folder, error) from None


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def _explain(path: Path, error: OSError) -> HifiError:
    reason = error.strerror or str(error)
    remedy = "free some space" if error.errno == errno.ENOSPC else "choose another --out"
    return HifiError(f"cannot write {path}: {reason}: {remedy}")
