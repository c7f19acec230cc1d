"""What TensorRT says while it works: kept for an error, otherwise not shown."""

from functools import cache
from typing import Any

from export.engine.library import Library


@cache
def logger(library: Library) -> Any:
    """The process's one logger: a library keeps the first that it is given and ignores others."""
    base = library.module.ILogger

    class Log(base):  # type: ignore[misc, valid-type]
        def __init__(self) -> None:
            base.__init__(self)
            self._errors: list[str] = []

        def log(self, severity: Any, message: str) -> None:
            if severity in (base.Severity.ERROR, base.Severity.INTERNAL_ERROR):
                self._errors.append(message)

        def clear(self) -> None:
            self._errors.clear()

        def reason(self) -> str:
            """Every error since ``clear``, in one line."""
            told = dict.fromkeys(" ".join(message.split()) for message in self._errors)
            return "; ".join(told) or "it gives no reason"

    return Log()
