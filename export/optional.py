"""Libraries that a machine may lack."""

import importlib


def why_missing(module: str, command: str) -> str | None:
    """Why a module cannot be imported and the command that supplies it, or None."""
    try:
        importlib.import_module(module)
    except (ImportError, OSError) as error:  # OSError: a shared library is missing
        told = (str(error).strip().splitlines() or [""])[0]
        return f"{module} cannot be imported ({told}): {command}"
    return None
