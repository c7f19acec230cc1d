"""Libraries that a machine may lack."""

import importlib
from pathlib import Path

from hifigan_ref.errors import in_one_line, named


def why_missing(module: str, command: str) -> str | None:
    """Why a module cannot be imported and what to do about it, or None.

    Args:
        module: its name.
        command: that supplies it.
    """
    try:
        importlib.import_module(module)
    # what is installed may still fail, and raises whatever its authors did not expect
    except Exception as error:  # noqa: BLE001
        return f"{module} cannot be imported ({cause(error)}): {remedy(error, command)}"
    return None


def cause(error: Exception) -> str:
    """What an error says, after its type where that is not an import's own."""
    return in_one_line(error) if isinstance(error, ImportError | OSError) else named(error)


def remedy(error: Exception, command: str) -> str:
    """The command, unless what is installed fails for want of a home folder, as in containers."""
    if isinstance(error, ImportError | OSError):
        return command
    try:
        Path.home()
    except RuntimeError:
        return "set HOME to a folder that you may write"
    return command
