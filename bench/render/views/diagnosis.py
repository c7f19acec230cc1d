"""A diagnosis of the machine in the terminal."""

from collections.abc import Iterable
from itertools import groupby

from bench.doctor import Finding

TITLES = {
    "machine": "This machine",
    "gpu": "GPU",
    "library": "Libraries",
    "backend": "Backends",
}


def lines(findings: Iterable[Finding]) -> list[str]:
    """A title for each section and a line for each finding; what is missing has a mark."""
    told = []
    for section, group in groupby(findings, key=lambda finding: finding.section):
        told += ["", TITLES[section]]
        told += [f"  {' ' if f.ready else '-'} {f.name:<18} {f.found}" for f in group]
    return told[1:]
