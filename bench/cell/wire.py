"""Jobs, commands and replies as lines of JSON, losing nothing, infinity included."""

import json
from typing import Any

from pydantic import TypeAdapter
from pydantic_core import to_json

from bench.cell.job import Command, Failed, Finished, Job, Prepared, Reply, Sampled, WarmedUp

_KINDS = {kind.__name__: kind for kind in (Prepared, WarmedUp, Sampled, Finished, Failed)}
_ADAPTERS: dict[str, TypeAdapter[Any]] = {n: TypeAdapter(kind) for n, kind in _KINDS.items()}
_JOB = TypeAdapter(Job)
_COMMAND = TypeAdapter(Command)


def write(record: Job | Command) -> str:
    """A job or a command as one line."""
    return to_json(record, inf_nan_mode="strings").decode() + "\n"


def read_job(line: str) -> Job:
    """The job of a process."""
    return _JOB.validate_json(line)


def read_command(line: str) -> Command:
    """The next thing to do."""
    return _COMMAND.validate_json(line)


def write_reply(reply: Reply) -> str:
    """A reply as one line, its type told."""
    return to_json([type(reply).__name__, reply], inf_nan_mode="strings").decode() + "\n"


def read_reply(line: str) -> Reply:
    """The reply of a process.

    Raises:
        ValueError: no reply.
    """
    kind, record = json.loads(line)
    reply: Reply = _ADAPTERS[kind].validate_python(record, strict=False)
    return reply
