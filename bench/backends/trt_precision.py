"""The precisions of an engine's layers beside those of the file that it was built from.

Networks are strongly typed, so an engine that computes in another precision was not asked to.
"""

from collections import Counter
from collections.abc import Mapping

from bench.file_precisions import Counts
from bench.records import Claim
from export.engine.layers import UNTOLD, convolution_precisions, layer_precisions

NO_FLOATS = ("int64", "int32", "uint8", "bool")  # shapes and masks have no precision to lose


def precision_claims(asked: Counts, information: str) -> tuple[Claim, ...]:
    """What convolutions multiply in, and what the other layers hold.

    Args:
        asked: how many convolutions of the file are in which precision.
        information: of the engine's inspector, as JSON.
    """
    layers = layer_precisions(information)
    every = _layers_claim(asked, layers)
    if set(asked) == {"fp32"}:
        return (every,)
    return (_convolutions_claim(asked, convolution_precisions(information) or layers), every)


def told(layers: Mapping[str, str]) -> str:
    """How many layers have which precision."""
    counts = Counter(layers.values()).most_common()
    return ", ".join(f"{count} {kind}" for kind, count in counts) or "none told"


def _layers_claim(asked: Counts, layers: Mapping[str, str]) -> Claim:
    """Every layer that tells is of one of the file's, or of float32 as inputs and outputs are."""
    found = {kind for kind in layers.values() if kind not in (*NO_FLOATS, UNTOLD)}
    return Claim("layer precisions", _named(asked), told(layers), found <= {"fp32", *asked})


def _convolutions_claim(asked: Counts, found: Mapping[str, str]) -> Claim:
    """Each of the file's precisions is there, and no other; fusions change how many."""
    kinds = {kind for kind in found.values() if kind not in (*NO_FLOATS, UNTOLD)}
    return Claim("precision of the convolutions", _named(asked), told(found), kinds == set(asked))


def _named(asked: Counts) -> str:
    return " and ".join(sorted(asked))
