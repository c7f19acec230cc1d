"""Which shapes a parity report runs, and the waveforms of each.

1. Of a fixed axis, its one length.
2. Every residue of T: from a multiple of each period on, as many lengths as it has residues.
3. The shortest legal T and an ordinary one.
   Of a file in less than float32 neither: its residues are near the ordinary length, since the
   error of rounding is a matter of chance over the few values that a short waveform leaves.
4. The edges of N.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from export import memory
from export.artifact import Manifest
from export.lengths import cycle
from export.request import ExportRequest
from hifigan_ref.audio import Recording
from hifigan_ref.errors import HifiError
from hifigan_ref.variant import Variant

BASE = 1024
ORDINARY = 8192
BATCHES = (1, 2, 5)
RESIDUE_BATCH = 2
NOISE_DB = 20.0  # y_hat is speech with so little noise
SEED = 0

Wave = NDArray[np.float32]


@dataclass(frozen=True)
class Shape:
    """Of an input, (N, 1, T).

    Attributes:
        batch: N.
        samples: T.
    """

    batch: int
    samples: int


def shapes(manifest: Manifest, lengths: Sequence[int] = ()) -> tuple[Shape, ...]:
    """Every shape that a file is run on; the lengths given, or else those above.

    Raises:
        HifiError: a length that the file or the machine cannot take.
    """
    for samples in lengths:
        _check(manifest, samples)
    found = dict.fromkeys(_all(manifest, lengths))
    variant = Variant.parse(manifest.variant)
    request = ExportRequest(variant, outputs=manifest.output_choice, pair=manifest.pair)
    for shape in found:
        memory.demand(request, shape.batch, shape.samples, in_float64=True)
    return tuple(found)


def residues(variant: Variant, base: int = BASE) -> tuple[int, ...]:
    """Lengths near a base that meet every residue of every member."""
    lengths: set[int] = set()
    for member in variant.members():
        step = cycle(variant, member)
        first = max(base // step * step, -(-variant.min_samples() // step) * step)
        lengths |= set(range(first, first + step))
    return tuple(sorted(lengths))


def _all(manifest: Manifest, lengths: Sequence[int]) -> list[Shape]:
    batches = BATCHES if manifest.batch is None else (manifest.batch,)
    usual = RESIDUE_BATCH if manifest.batch is None else manifest.batch
    if manifest.samples is not None or lengths:
        given = lengths or (manifest.samples or 0,)
        return [Shape(batch, samples) for samples in given for batch in batches]
    exact = manifest.precision.is_float32
    around = residues(Variant.parse(manifest.variant), BASE if exact else ORDINARY)
    both = [
        *(Shape(usual, samples) for samples in around),
        *(Shape(batch, around[0]) for batch in batches),
    ]
    ends = [Shape(batches[0], manifest.min_samples), Shape(batches[0], ORDINARY)]
    return [*both, *ends] if exact else both


def _check(manifest: Manifest, samples: int) -> None:
    if manifest.samples is not None and samples != manifest.samples:
        raise HifiError(f"the file is for {manifest.samples} samples: leave out --samples")
    if samples < manifest.min_samples:
        raise HifiError(
            f"{samples} samples are too few for {manifest.variant}: "
            f"choose {manifest.min_samples} or more"
        )


def waveforms(recording: Recording, shape: Shape) -> tuple[Wave, Wave]:
    """Speech y from its loudest sample on, and y_hat: the same with seeded noise.

    Raises:
        HifiError: a segment is silent.
    """
    speech = recording.loudest_first().sounding(shape.batch, shape.samples)
    noise = np.random.default_rng(SEED).standard_normal(speech.shape)
    level = np.sqrt(np.square(speech, dtype=np.float64).mean(axis=2, keepdims=True))
    return speech, (speech + noise * level * 10 ** (-NOISE_DB / 20)).astype(np.float32)
