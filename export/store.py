"""Files kept by what they were made from: whoever asks first makes them, the others find them."""

import hashlib
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache as memoise
from pathlib import Path

from hifigan_ref.errors import HifiError

FOLDER_VARIABLE = "HIFI_EXPORT_CACHE"
KINDS = ("onnx", "engine", "runtime", "tuning")
_LOCKS = "locks"
_PARTS = ".parts"


@dataclass(frozen=True)
class Entry:
    """One thing that is kept.

    Attributes:
        kind: one of ``KINDS``.
        key: digest of what it was made from.
        files: names.
        bytes: of all files together.
        modified: seconds since 1970.
    """

    kind: str
    key: str
    files: tuple[str, ...]
    bytes: int
    modified: float


def folder() -> Path:
    """``$HIFI_EXPORT_CACHE``, else the user's cache folder.

    A relative ``XDG_CACHE_HOME`` says nothing, as its specification wants it.

    Raises:
        HifiError: nothing says which folder is the user's.
    """
    chosen = os.environ.get(FOLDER_VARIABLE)
    if chosen:
        return Path(chosen)
    base = Path(os.environ.get("XDG_CACHE_HOME", ""))
    return (base if base.is_absolute() else _home() / ".cache") / "hifi-export"


def _home() -> Path:
    try:
        return Path.home()
    except RuntimeError:
        raise HifiError(
            "no folder for the cache: this user has no HOME and no entry in the password file: "
            f"set {FOLDER_VARIABLE} to a folder"
        ) from None


def key_of(*parts: object) -> str:
    """A key for what something is made from; the code that makes it is a part."""
    text = "\n".join(map(repr, (*parts, source_digest("export", "hifigan_ref"))))
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def place(kind: str, key: str) -> Path:
    """Where the files of a key lie, or would."""
    return folder() / kind / key


def parts() -> list[Path]:
    """Where the files of each kind are written before they are put in place."""
    return [folder() / kind / _PARTS for kind in KINDS]


@contextmanager
def hold(name: str) -> Iterator[None]:
    """A lock of this cache, for this process alone: others wait here until it is let go.

    Raises:
        HifiError: the cache cannot be written.
    """
    from filelock import FileLock

    lock = folder() / _LOCKS / f"{name}.lock"
    try:
        lock.parent.mkdir(parents=True, exist_ok=True)
        held = FileLock(lock)
        held.acquire()
    except OSError as error:
        raise HifiError(
            f"cannot write the cache {folder()}: {error.strerror or error}: "
            f"set {FOLDER_VARIABLE} to another folder"
        ) from None
    try:
        yield
    finally:
        held.release()


@contextmanager
def claim(kind: str, key: str) -> Iterator[Path]:
    """The folder of a key, held like a lock. Raises HifiError as ``hold``."""
    with hold(key):
        here = place(kind, key)
        here.mkdir(parents=True, exist_ok=True)
        yield here


def entries() -> list[Entry]:
    """Everything that is kept, the oldest first."""
    found = []
    for kind in KINDS:
        for here in sorted((folder() / kind).glob("[!.]*")):
            files = [path for path in here.glob("*") if path.is_file()]
            stats = [path.stat() for path in files]
            found.append(
                Entry(
                    kind,
                    here.name,
                    tuple(sorted(path.name for path in files)),
                    sum(stat.st_size for stat in stats),
                    max((stat.st_mtime for stat in stats), default=here.stat().st_mtime),
                )
            )
    return sorted(found, key=lambda entry: entry.modified)


def remove(entry: Entry) -> bool:
    """Remove one, unless another process holds it just now."""
    from filelock import FileLock, Timeout

    lock = folder() / _LOCKS / f"{entry.key}.lock"
    try:
        lock.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(lock, timeout=0):
            shutil.rmtree(place(entry.kind, entry.key))
    except Timeout:
        return False
    except OSError as error:
        raise HifiError(
            f"cannot remove {place(entry.kind, entry.key)}: {error.strerror or error}: "
            "see who owns it"
        ) from None
    return True


@memoise
def source_digest(*packages: str) -> str:
    """Of the code in some packages: changed code must not be served what it made before."""
    root = Path(__file__).parent.parent
    sources = sorted(path for name in packages for path in (root / name).rglob("*.py"))
    return hashlib.sha256(b"".join(path.read_bytes() for path in sources)).hexdigest()
