"""Libraries that a machine may lack."""

import importlib


def why_missing(module: str, command: str) -> str | None:
    """Why a module cannot be imported and the command that supplies it, or None."""
    try:
        importlib.import_module(module)
    except ImportError as error:
        return f"{module} cannot be imported ({error}): {command}"
    return None
