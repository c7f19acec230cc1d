"""One measures at a time: two sweeps on a machine take turns instead of slowing each other."""

from collections.abc import Iterator
from contextlib import contextmanager

from export import store
from hifigan_ref.errors import HifiError


@contextmanager
def turn() -> Iterator[None]:
    """Held while a cell works; waits for whoever holds it.

    Raises:
        HifiError: the cache, where the lock lies, cannot be written.
    """
    from filelock import FileLock

    path = store.folder() / "locks" / "measuring.lock"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock = FileLock(path)
        lock.acquire()
    except OSError as error:
        raise HifiError(
            f"cannot write the cache {store.folder()}: {error.strerror or error}: "
            f"set {store.FOLDER_VARIABLE} to another folder"
        ) from None
    try:
        yield
    finally:
        lock.release()
