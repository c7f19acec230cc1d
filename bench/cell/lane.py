"""Where a cell runs: in a process of its own, or, for tests, in this one."""

import queue
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable
from typing import Protocol, TextIO

from bench.cell import wire
from bench.cell.job import Command, Failed, Job, Reply
from hifigan_ref.trained import Trained

GRACE_SECONDS = 10.0
WORKER = (sys.executable, "-m", "bench.cell.worker")
LAST_WORDS = 300  # characters


class Lane(Protocol):
    """Asked one thing after the other; an answer of ``Failed`` is its last."""

    def ask(self, command: Command) -> Reply:
        """The answer, whatever happens."""

    def close(self) -> None:
        """End it."""


Open = Callable[[Job, Callable[[], Trained], float], Lane]


class Apart:
    """In a process of its own, which may crash, hang or be killed without harm to the others.

    Args:
        job: what it runs.
        build: not used; the process reads the weights itself.
        timeout: seconds for one answer.
        command: that starts it.
    """

    def __init__(
        self,
        job: Job,
        build: Callable[[], Trained],
        timeout: float,
        command: tuple[str, ...] = WORKER,
    ) -> None:
        del build
        self._timeout = timeout
        self._errors = tempfile.TemporaryFile("w+", errors="replace")  # noqa: SIM115 - close() does
        self._process = subprocess.Popen(  # noqa: S603 - this interpreter
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
            start_new_session=True,  # Ctrl-C is the parent's to hear
        )
        assert self._process.stdin is not None and self._process.stdout is not None
        self._lines: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._reader = threading.Thread(
            target=_read, args=(self._process.stdout, self._lines), daemon=True
        )
        self._reader.start()
        self._send(wire.write(job))

    def ask(self, command: Command) -> Reply:
        """The answer, or why there is none: it ended, was killed, or took too long."""
        self._send(wire.write(command))
        try:
            line = self._lines.get(timeout=self._timeout)
        except queue.Empty:
            self._kill()
            told = f"timed out after {self._timeout:g} s in {command.name}: {self._words()}"
            return Failed(told, died=True)
        if not line:
            self._process.wait()
            told = f"{self._ended()} in {command.name}: {self._words()}"
            return Failed(told, died=True)
        return wire.read_reply(line)

    def close(self) -> None:
        """Let it end by itself, or end it."""
        assert self._process.stdin is not None and self._process.stdout is not None
        try:
            self._process.stdin.close()
            self._process.wait(GRACE_SECONDS)
        except (subprocess.TimeoutExpired, OSError):
            self._kill()
        self._reader.join(GRACE_SECONDS)
        self._process.stdout.close()
        self._errors.close()

    def _send(self, line: str) -> None:
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(line)
            self._process.stdin.flush()
        except OSError:
            return  # it is gone; the next answer says why

    def _kill(self) -> None:
        self._process.kill()
        self._process.wait()

    def _ended(self) -> str:
        code = self._process.returncode
        if code >= 0:
            return f"its process ended with exit code {code}"
        name = signal.Signals(-code).name
        memory = " (out of memory?)" if name == "SIGKILL" else ""
        return f"its process was ended by {name}{memory}"

    def _words(self) -> str:
        """The last line that it wrote on standard error."""
        self._errors.seek(0)
        told = [line.strip() for line in self._errors if line.strip()]
        return told[-1][-LAST_WORDS:] if told else "it said nothing"


def _read(stream: TextIO, lines: "queue.SimpleQueue[str]") -> None:
    for line in stream:
        lines.put(line)
    lines.put("")  # the end
