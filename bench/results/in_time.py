"""A process that is ended when its time is over: what it said, and how it ended."""

import subprocess
import sys
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from signal import Signals

import psutil

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Ended:
    """What became of it.

    Attributes:
        lines: that it printed and that are not empty, errors among them.
        code: its exit code, or None where its time was over.
        seconds: that it was given.
    """

    lines: tuple[str, ...]
    code: int | None
    seconds: float

    @property
    def finished(self) -> bool:
        """Whether it ended by itself, well or not."""
        return self.code is not None and self.code >= 0

    @property
    def how(self) -> str:
        """In words."""
        if self.code is None:
            return f"ended after {self.seconds:.0f} s"
        if self.code < 0:
            return f"ended by {Signals(-self.code).name}"
        return f"exit code {self.code}"


def run_python(arguments: Sequence[str], seconds: float) -> Ended:
    """This interpreter at the root of the tree.

    Args:
        arguments: of the interpreter.
        seconds: that it may take, with all that it starts.
    """
    with tempfile.TemporaryFile("w+", errors="replace") as said:
        process = subprocess.Popen(  # noqa: S603 - this interpreter
            [sys.executable, *arguments], cwd=ROOT, stdout=said, stderr=subprocess.STDOUT
        )
        try:
            code = process.wait(seconds)
        except subprocess.TimeoutExpired:
            code = None
        finally:
            _end(process)
        said.seek(0)
        return Ended(tuple(line.strip() for line in said if line.strip()), code, seconds)


def _end(process: "subprocess.Popen[bytes]") -> None:
    """Cells have sessions of their own: a process group would leave them on the GPU."""
    if process.poll() is not None:
        return
    with suppress(psutil.NoSuchProcess):
        for each in psutil.Process(process.pid).children(recursive=True):
            with suppress(psutil.NoSuchProcess):
                each.kill()
    process.kill()
    process.wait()
