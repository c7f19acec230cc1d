"""Exit codes of ``hifi-bench``, and that of a run by its rows."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bench.records import Result

WRONG_USAGE = 2  # as Typer has it
WRONG_ROW = 3
REGRESSION = 4
NOTHING_MEASURED = 5
INTERRUPTED = 130  # as a shell tells it


def exit_code(results: "tuple[Result, ...]") -> int:
    """That of rows which were all measured, or why they could not be."""
    from bench.records import Parity, Skipped

    wrong = (isinstance(r.parity, Parity) and not r.parity.passed for r in results)
    if any(wrong) or any(result.broken for result in results):
        return WRONG_ROW
    if all(isinstance(result.measurement, Skipped) for result in results):
        return NOTHING_MEASURED
    return 0
