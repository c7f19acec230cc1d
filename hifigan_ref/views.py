"""Other ways to look at a network: the scores alone, or two batches of inputs in one pass."""

from collections.abc import Iterable
from dataclasses import replace
from typing import Literal

from hifigan_ref.errors import HifiError
from hifigan_ref.network import Port, Signature

View = Literal["scores", "pair"]
SCORES: View = "scores"
SECOND = "_hat"  # of the names of a pair's second inputs
SIDES = ("_real", "_fake")  # of the names of its outputs


def seen(signature: Signature, views: Iterable[View], name: str) -> Signature:
    """A signature through some views, one after the other.

    Raises:
        HifiError: a network of that name cannot be seen so.
    """
    for view in views:
        signature = _scores(signature, name) if view == SCORES else _pair(signature)
    return signature


def _scores(signature: Signature, name: str) -> Signature:
    """Without feature maps."""
    scores = tuple(port for port in signature.outputs if port.role == "score")
    if not scores:
        raise HifiError(f"{name} has no scores: leave out --outputs scores")
    return replace(signature, outputs=scores)


def _pair(signature: Signature) -> Signature:
    """Of real and of generated inputs, which enter as one batch."""
    return Signature(
        (*signature.inputs, *(_named(port, SECOND) for port in signature.inputs)),
        tuple(_named(port, side) for port in signature.outputs for side in SIDES),
    )


def _named(port: Port, end: str) -> Port:
    return replace(port, name=f"{port.name}{end}")
