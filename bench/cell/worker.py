"""A cell's own process: commands come as lines, answers go where no library prints.

Started as ``python -m bench.cell.worker``. The first line is the job.
"""

import os
import sys
from collections.abc import Callable
from typing import TextIO

from bench.cell import wire
from bench.cell.job import Command, Failed, Reply
from bench.cell.runner import Runner
from bench.proof import NotAsAskedError
from hifigan_ref.errors import HifiError, named
from hifigan_ref.source import Source


def obey(runner: Runner, command: Command) -> Reply:
    """Do one thing; whatever a runtime raises is the answer."""
    actions: dict[str, Callable[[], Reply]] = {
        "prepare": runner.prepare,
        "warm_up": runner.warm_up,
        "sample": lambda: runner.sample(command.seconds),
        "finish": runner.finish,
    }
    try:
        return actions[command.name]()
    except NotAsAskedError as error:
        return Failed(str(error), error.claims)
    except HifiError as error:
        return Failed(str(error))
    # A runtime fails in types of its own; whatever it says becomes its row.
    except Exception as error:  # noqa: BLE001
        return Failed(f"failed: {named(error)}")


def serve(lines: TextIO, answers: TextIO) -> None:
    """Answer every command until there are no more."""
    job = wire.read_job(lines.readline())
    weights = Source(job.checkpoint, job.seed)
    runner = Runner(job, lambda: weights.build(job.request.variant))
    try:
        for line in lines:
            answers.write(wire.write_reply(obey(runner, wire.read_command(line))))
            answers.flush()
    finally:
        runner.close()


def main() -> None:
    """Serve standard input; what libraries print goes to standard error."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    serve(sys.stdin, answers)


if __name__ == "__main__":
    main()
