"""A hole in a record, with its reason."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Skipped:
    """A hole and its reason."""

    reason: str


NOT_TAKEN = Skipped("not taken")


def require(holds: bool, rule: str) -> None:
    """Raises ValueError for a record that breaks a rule."""
    if not holds:
        raise ValueError(rule)
