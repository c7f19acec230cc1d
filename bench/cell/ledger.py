"""Finished rows, appended as they come, so that an interrupted sweep can go on."""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pydantic import TypeAdapter, ValidationError
from pydantic_core import to_json

from bench.cell.job import Job
from bench.records import Result
from hifigan_ref.errors import HifiError

NAME = "ledger.jsonl"
_RESULT = TypeAdapter(Result)


class Ledger:
    """A file of rows under the keys of their cells.

    Args:
        path: of the file.
        group: of cells that take turns; the row of another group is none of theirs.
    """

    def __init__(self, path: Path, group: str = "") -> None:
        self._path = path
        self._group = group
        self._rows: dict[str, Result] = {}

    def resume(self) -> int:
        """Take over what an earlier run finished; how many rows that is."""
        try:
            lines = self._path.read_text().splitlines()
        except OSError:
            return 0
        for line in lines:
            key, _, record = line.partition(" ")
            try:
                self._rows[key] = _RESULT.validate_json(record)
            except ValidationError:
                continue  # cut off by a kill, or of another version: measured again
        return len(self._rows)

    def clear(self) -> None:
        """Begin anew."""
        self._path.unlink(missing_ok=True)

    def within(self, group: str) -> "Ledger":
        """The same file and what was resumed from it, for another group."""
        ledger = Ledger(self._path, group)
        ledger._rows = self._rows
        return ledger

    def find(self, key: str) -> Result | None:
        """The row of a finished cell."""
        return self._rows.get(self._group + key)

    def append(self, key: str, result: Result) -> None:
        """Write a row through to the disk."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        record = to_json(result, inf_nan_mode="strings").decode()
        with self._path.open("a") as file:
            file.write(f"{self._group}{key} {record}\n")
            file.flush()


def key_of(job: Job, weights: str, rounds: int) -> str:
    """A cell is finished if the same was measured: where its files lie does not count."""
    what = (job.backend, job.workload, job.request, weights, job.runtime, job.budget_db)
    how = (job.limits, rounds, job.layers)
    return hashlib.sha256(repr((*what, *how)).encode()).hexdigest()[:32]


@contextmanager
def alone_in(folder: Path) -> Iterator[None]:
    """For one sweep at a time in a folder.

    Raises:
        HifiError: another one writes there.
    """
    from filelock import FileLock, Timeout

    folder.mkdir(parents=True, exist_ok=True)
    lock = FileLock(folder / ".lock")
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise HifiError(
            f"another sweep writes to {folder} now: give another --out, or wait for it"
        ) from None
    try:
        yield
    finally:
        lock.release()
        (folder / ".lock").unlink(missing_ok=True)
