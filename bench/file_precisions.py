"""The precision of every convolution of a file, as it is written there."""

from collections import Counter
from collections.abc import Mapping
from pathlib import Path

from bench.records import Claim

Counts = Mapping[str, int]  # how many convolutions compute in which precision
ALL_FLOAT: Counts = {"fp32": 1}  # of a file that was not counted


def convolutions_of(path: Path) -> Counter[str]:
    """How many compute in which precision."""
    import onnx_ir as ir

    from export.precision.held import held

    return Counter(held(ir.load(path)).values())


def told(counts: Counts) -> str:
    """``4 int8, 2 fp32``."""
    return ", ".join(f"{n} {each}" for each, n in sorted(counts.items()) if n) or "none"


def counts_claim(asked: Counts, found: Counts) -> Claim:
    """As many convolutions of each precision ran as were asked for."""
    same = {k: n for k, n in asked.items() if n} == {k: n for k, n in found.items() if n}
    return Claim("precision of the convolutions", told(asked), told(found), same)
