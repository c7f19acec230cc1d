"""The most gain for each SNR: which layers may lose precision together, searched one by one.

Errors of layers are nearly independent: their powers add, and so do gains. Of n layers there are
2^n selections and more, so that a search holds a number of them that does not grow with n:

1. Layers come one after the other, the noisiest first. Every selection goes on without the layer,
   and with it in each of its precisions.
2. Where more than ``MOST`` are to go on, those far below the floor go last. Of the others those
   go on that none beats in both gain and SNR, then those that only these beat, and so on; of the
   last such front some, evenly spread.

Nine layers of one precision each, or five of three, are searched exhaustively; n layers in
n x MOST x (1 + precisions of a layer) evaluations at most.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

MOST = 256  # selections that go on
SPREAD_DB = (
    5.0  # further noise makes stretches more alike, which may lift an SNR that allows for it
)

Array = NDArray[np.float64]
Key = TypeVar("Key")


@dataclass(frozen=True, eq=False)
class Option(Generic[Key]):
    """One layer in one precision.

    Attributes:
        key: what it stands for.
        gain: what it saves: FLOPs, or a share of the time.
        noise: power that it adds where errors are looked at, (places,).
    """

    key: Key
    gain: float
    noise: Array


@dataclass(frozen=True)
class Selection(Generic[Key]):
    """Some layers, each in one of its precisions.

    Attributes:
        keys: of the options.
        gain: of all of them.
        snr_db: predicted, dB.
    """

    keys: tuple[Key, ...]
    gain: float
    snr_db: float


@dataclass(frozen=True, eq=False)
class _Held:
    """Selections side by side: which option of each layer (k, layers), gains (k,), (k, places)."""

    chosen: NDArray[np.intp]
    gains: Array
    powers: Array

    def at(self, rows: NDArray[np.intp]) -> "_Held":
        return _Held(self.chosen[rows], self.gains[rows], self.powers[rows])


def search(
    base: Array,
    layers: Sequence[Sequence[Option[Key]]],
    snr_db: Callable[[Array], Array],
    floor_db: float,
) -> list[Selection[Key]]:
    """Selections, the most gain first; of equal gain the more exact one.

    Args:
        base: power of errors where no option is chosen, (places,).
        layers: options of each layer, of which at most one is chosen; none whose noise is infinite.
        snr_db: of powers, (k, places) -> (k,), dB.
        floor_db: below which a selection is of no use.
    """
    usable = ([each for each in options if np.isfinite(each.noise).all()] for options in layers)
    order = sorted(usable, key=lambda each: -max((o.noise.max() for o in each), default=0.0))
    held = _Held(np.zeros((1, len(order)), np.intp), np.zeros(1), base[np.newaxis])
    ratios = snr_db(held.powers)
    for number, options in enumerate(order):
        held = _with(held.at(_thinned(held.gains, ratios, floor_db)), number, options)
        ratios = snr_db(held.powers)
    return [
        Selection(
            tuple(o[n - 1].key for o, n in zip(order, held.chosen[row], strict=True) if n),
            float(held.gains[row]),
            float(ratios[row]),
        )
        for row in np.lexsort((-ratios, -held.gains))
    ]


def front(selections: Sequence[Selection[Key]]) -> list[Selection[Key]]:
    """Of selections with the most gain first, those that none of more gain reaches in SNR."""
    best = np.maximum.accumulate([-np.inf, *(each.snr_db for each in selections)])
    return [each for each, above in zip(selections, best[:-1], strict=True) if each.snr_db > above]


def _with(held: _Held, number: int, options: Sequence[Option[Key]]) -> _Held:
    """Each selection without a layer, and with it in each of its precisions."""
    chosen = np.tile(held.chosen, (1 + len(options), 1))
    chosen[:, number] = np.repeat(np.arange(1 + len(options)), held.gains.size)
    return _Held(
        chosen,
        np.concatenate([held.gains, *(held.gains + each.gain for each in options)]),
        np.concatenate([held.powers, *(held.powers + each.noise for each in options)]),
    )


def _thinned(gains: Array, ratios: Array, floor_db: float) -> NDArray[np.intp]:
    """Rows that go on."""
    left = np.lexsort((-ratios, -gains, ratios < floor_db - SPREAD_DB))
    kept: list[NDArray[np.intp]] = []
    room = MOST
    while left.size > room > 0:
        best = ratios[left] > np.maximum.accumulate(np.append(-np.inf, ratios[left][:-1]))
        best[0] = True  # even where none is a number
        first = left[best]
        if first.size > room:
            first = first[np.linspace(0, first.size - 1, room).round().astype(np.intp)]
        kept.append(first)
        room -= first.size
        left = left[~best]
    return np.concatenate([*kept, left[:room]])
