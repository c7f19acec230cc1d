"""Temporary folders, all of them made here, and the sweep of what killed processes left behind."""

import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from export import atomic, owned, store
from hifigan_ref.errors import HifiError

PREFIX = "hifi-scratch-"
OURS = re.compile(re.escape(PREFIX) + "[a-z0-9_]{8}")  # tempfile chooses the end
_descriptors: dict[Path, int] = {}


def make() -> Path:
    """A new folder, this process's own until it is removed or the process ends.

    Raises:
        HifiError: no temporary folder can be written.
    """
    while True:
        try:
            path = Path(tempfile.mkdtemp(prefix=PREFIX))
        except OSError as error:
            raise HifiError(
                f"cannot write temporary files: {error.strerror or error}: set TMPDIR to a folder "
                "that you may write and that has space"
            ) from None
        descriptor = owned.own(path)
        if descriptor is not None:
            _descriptors[path] = descriptor
            return path


def remove(path: Path) -> None:
    """Remove such a folder, if it is still there."""
    shutil.rmtree(path, ignore_errors=True)
    descriptor = _descriptors.pop(path, None)
    if descriptor is not None:
        os.close(descriptor)


@contextmanager
def folder() -> Iterator[Path]:
    """A new folder that is removed in the end. Raises HifiError as ``make``."""
    path = make()
    try:
        yield path
    finally:
        remove(path)


def sweep() -> None:
    """Remove temporary folders and parts of cached files that no living process owns; never fails.

    Parts beside files of the user's choice are swept where such files are written.
    """
    with suppress(OSError):
        here = Path(tempfile.gettempdir()).iterdir()
        owned.sweep(path for path in here if OURS.fullmatch(path.name))
    with suppress(HifiError):
        for place in store.parts():
            atomic.sweep_parts(place)
