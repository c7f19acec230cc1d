"""Tables of what ran and of what did not: claims with answers, holes with reasons."""

from dataclasses import fields

from bench.records import NOT_TAKEN, Report, Result, Skipped
from bench.render.table import Table, row_name


def proofs(report: Report) -> Table:
    """Every claim of every row; one that does not hold makes the row INVALID."""
    rows = [
        (row_name(r), claim.what, claim.asked, claim.found, "yes" if claim.holds else "NO: INVALID")
        for r in report.results
        for claim in r.proof
    ]
    return Table("Proof of execution", ("row", "claim", "asked", "found", "holds"), tuple(rows))


def holes(report: Report) -> Table:
    """Each reason once, with everything that is missing for it."""
    missing: dict[tuple[str, str], list[str]] = {}
    for result in report.results:
        for reason, what in _holes(result).items():
            missing.setdefault((", ".join(what), reason), []).append(row_name(result))
    every = len(report.results)
    rows = [
        (what, reason, "; ".join(names) if len(names) < every else "every row")
        for (what, reason), names in missing.items()
    ]
    return Table("Skipped, and why", ("what", "reason", "rows"), tuple(rows))


def _holes(result: Result) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for field in fields(result):
        value = getattr(result, field.name)
        if isinstance(value, Skipped) and value != NOT_TAKEN:
            found.setdefault(value.reason, []).append(field.name.replace("_", " "))
    return found
