"""A hole in a record, with its reason."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

Found = TypeVar("Found")
Part = TypeVar("Part")


@dataclass(frozen=True)
class Skipped:
    """A hole and its reason."""

    reason: str


NOT_TAKEN = Skipped("not taken")


def known(found: Found | Skipped, take: Callable[[Found], Part]) -> Part | Skipped:
    """What is taken from what was found, or the hole in its place."""
    return found if isinstance(found, Skipped) else take(found)


def require(holds: bool, rule: str) -> None:
    """Raises ValueError for a record that breaks a rule."""
    if not holds:
        raise ValueError(rule)
