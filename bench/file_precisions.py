"""The precision of every convolution of a file, as it is written there."""

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from bench.records import Claim

if TYPE_CHECKING:
    import onnx_ir as ir

Counts = Mapping[str, int]  # how many convolutions compute in which precision


def convolutions_of(path: Path) -> Counter[str]:
    """How many compute in which precision; int8 are those that read dequantized values."""
    import onnx_ir as ir

    from export.precision.layers import CONVOLUTIONS

    nodes = [node for node in ir.load(path).graph if node.op_type in CONVOLUTIONS]
    return Counter(_precision(node) for node in nodes)


def told(counts: Counts) -> str:
    """``4 int8, 2 fp32``."""
    return ", ".join(f"{n} {each}" for each, n in sorted(counts.items()) if n) or "none"


def counts_claim(asked: Counts, found: Counts) -> Claim:
    """As many convolutions of each precision ran as were asked for."""
    same = {k: n for k, n in asked.items() if n} == {k: n for k, n in found.items() if n}
    return Claim("precision of the convolutions", told(asked), told(found), same)


def _precision(node: "ir.Node") -> str:
    from export.precision.narrow import TYPES

    value = node.inputs[0]
    assert value is not None
    producer = value.producer()
    if producer is not None and producer.op_type == "DequantizeLinear":
        return "int8"
    names = {dtype: name for name, dtype in TYPES.items() if name != "int8"}
    return names[value.dtype] if value.dtype in names else str(value.dtype)
