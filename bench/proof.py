"""Claims about what ran: a runtime that ran something else than it was asked has no speed."""

from collections.abc import Iterable

from bench.records import Claim
from hifigan_ref.errors import HifiError


class NotAsAskedError(HifiError):
    """A runtime would run, or ran, something else than it was asked.

    Attributes:
        claims: those that hold and those that do not.
    """

    def __init__(self, claims: Iterable[Claim]) -> None:
        self.claims = tuple(claims)
        super().__init__(verdict(self.claims))


def equal(what: str, asked: object, found: object) -> Claim:
    """A claim that holds where both are the same text."""
    return Claim(what, str(asked), str(found), str(asked) == str(found))


def demand(*claims: Claim) -> tuple[Claim, ...]:
    """The claims, all of which hold.

    Raises:
        NotAsAskedError: one does not.
    """
    if not all(claim.holds for claim in claims):
        raise NotAsAskedError(claims)
    return claims


def verdict(claims: Iterable[Claim]) -> str:
    """What does not hold, in one line."""
    broken = [claim for claim in claims if not claim.holds]
    told = "; ".join(f"{c.what}: asked for {c.asked}, found {c.found}" for c in broken)
    return f"INVALID: {told}"
