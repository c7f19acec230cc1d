"""What errors do to training: scores and the losses of HiFi-GAN (arXiv 2010.05646, eq. 1 to 7)."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import nan

import numpy as np
from numpy.typing import NDArray

from bench.parity.report import DISCRIMINATOR, FEATURES, GENERATOR, SCORE, Change

Arrays = Mapping[str, NDArray[np.floating]]

FEATURE_WEIGHT = 2.0  # lambda_fm of the article


@dataclass(frozen=True)
class Judged:
    """Outputs for speech and for an imitation, by the names that one waveform's have.

    Attributes:
        real: D(y).
        fake: D(y_hat).
    """

    real: Arrays
    fake: Arrays


def from_pair(outputs: Arrays) -> Judged:
    """What a graph of two inputs computed in one pass."""

    def ending(end: str) -> Arrays:
        return {n.removesuffix(end): array for n, array in outputs.items() if n.endswith(end)}

    return Judged(ending("_real"), ending("_fake"))


def losses(judged: Judged) -> dict[str, float]:
    """LSGAN losses, and the feature-matching loss where there are feature maps; in float64."""
    real, fake = _double(judged.real), _double(judged.fake)
    scores = [name for name in real if name.endswith("score")]
    maps = [name for name in real if "fmap_" in name]
    generator = sum(_mean_square(1 - fake[name]) for name in scores)
    found = {
        DISCRIMINATOR: sum(
            _mean_square(1 - real[name]) + _mean_square(fake[name]) for name in scores
        ),
        GENERATOR: generator,
    }
    if maps:
        apart = [float(np.abs(real[name] - fake[name]).mean()) for name in maps]
        found[FEATURES] = FEATURE_WEIGHT * sum(apart)
    return found


def changes(exact: Judged, torch: Judged, found: Judged) -> tuple[Change, ...]:
    """The largest change of a score, and that of each loss.

    Outputs that are missing or of another shape make every change infinite.
    """
    expected, own = losses(exact), losses(torch)
    if _shapes(found) != _shapes(exact):
        lost = {SCORE: nan, **dict.fromkeys(expected, nan)}
        return tuple(Change(name, nan, nan, nan, nan) for name in lost)
    with np.errstate(invalid="ignore", over="ignore"):  # what is not finite is told as such
        reached = losses(found)
    told = [
        Change(name, value, reached[name], own[name], abs(value))
        for name, value in expected.items()
    ]
    return (_score(exact, torch, found), *told)


def _score(exact: Judged, torch: Judged, found: Judged) -> Change:
    expected, own, reached = map(_scores, (exact, torch, found))
    error = np.abs(reached - expected)
    where = int(np.nanargmax(np.where(np.isfinite(error), error, np.inf)))
    return Change(
        SCORE,
        exact=float(expected[where]),
        found=float(reached[where]),
        torch=float(expected[where] + np.abs(own - expected).max()),
        scale=float(np.sqrt(np.square(expected).mean())),
    )


def _scores(judged: Judged) -> NDArray[np.float64]:
    """Every score of both waveforms, one after the other."""
    both = [_double(judged.real), _double(judged.fake)]
    return np.concatenate(
        [array.ravel() for side in both for name, array in side.items() if name.endswith("score")]
    )


def _double(arrays: Arrays) -> dict[str, NDArray[np.float64]]:
    return {name: array.astype(np.float64) for name, array in arrays.items()}


def _shapes(judged: Judged) -> list[dict[str, tuple[int, ...]]]:
    return [{n: array.shape for n, array in s.items()} for s in (judged.real, judged.fake)]


def _mean_square(array: NDArray[np.float64]) -> float:
    return float(np.square(array).mean())
