"""Which sizes a parity report runs, and the inputs of each.

1. Of a fixed axis, its one length.
2. Every remainder of every other axis: as many neighbouring lengths as the largest modulus.
3. The shortest legal lengths and ordinary ones.
   Of a file in less than float32 neither: its remainders are near the ordinary lengths, since the
   error of rounding is a matter of chance over the few values that short inputs leave.
4. The edges of N.
"""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from export import memory
from export.artifact import Artifact
from hifigan_ref.audio import Recording
from hifigan_ref.errors import HifiError
from hifigan_ref.examples import example
from hifigan_ref.input_files import Files
from hifigan_ref.network import BATCH, Axis, Port, Sizes, together
from hifigan_ref.views import SECOND

SHARE = 8  # of a typical length: a graph that is wrong is wrong there
BATCHES = (1, 2, 5)
ITEMS = 2
NOISE_DB = 20.0  # y_hat is speech with so little noise
SEED = 0

Wave = NDArray[np.float32]
Inputs = dict[str, Wave]


def every_size(file: Artifact, lengths: Mapping[str, Sequence[int]]) -> tuple[Sizes, ...]:
    """All sizes that a file is run on; the lengths given of an axis, or else those above.

    Raises:
        HifiError: a length that the file or the machine cannot take.
    """
    request = file.request
    axes = request.signature.axes
    for name, given in lengths.items():
        _check(file, axes, name, given)
    found = [{name: sizes[name] for name in axes} for sizes in _all(file, axes, lengths)]
    kept = [each for place, each in enumerate(found) if each not in found[:place]]
    for sizes in kept:
        memory.demand(request, sizes, in_float64=True)
    return tuple(kept)


def _all(
    file: Artifact, axes: Mapping[str, Axis], lengths: Mapping[str, Sequence[int]]
) -> list[Sizes]:
    exact = file.manifest.precision.is_float32
    told = {name: (length,) for name, length in file.manifest.sizes.items()} | {**lengths}
    batches = told.get(BATCH, BATCHES) if BATCH in axes else (1,)
    items = told.get(BATCH, (ITEMS,))[0]
    inner = {name: axis for name, axis in axes.items() if name != BATCH}
    around: Mapping[str, Sequence[int]] = {
        name: told.get(name) or axis.every_remainder(axis.typical // (SHARE if exact else 1))
        for name, axis in inner.items()
    }
    sizes = together(around) or ({},)
    if told.keys() >= inner.keys():
        return [{**each, BATCH: n} for each in sizes for n in batches]
    found = [{**each, BATCH: items} for each in sizes]
    found += [{**sizes[0], BATCH: n} for n in batches]
    if exact:
        for ends in ("smallest", "typical"):
            each = {name: told.get(name, (getattr(a, ends),))[0] for name, a in inner.items()}
            found.append({**each, BATCH: batches[0]})
    return [*found]


def _check(file: Artifact, axes: Mapping[str, Axis], name: str, given: Sequence[int]) -> None:
    variant = file.manifest.variant
    if name not in axes:
        raise HifiError(f"{variant} has no axis {name!r}: choose from {', '.join(axes)}")
    for length in given:
        if file.manifest.sizes.get(name, length) != length:
            fixed = file.manifest.sizes[name]
            raise HifiError(f"the file is for {fixed} {name}: leave out other lengths")
        if length < axes[name].smallest:
            raise HifiError(
                f"{length} {name} are too few for {variant}: choose {axes[name].smallest} or more"
            )


def real_and_generated(
    recording: Recording, ports: Sequence[Port], sizes: Sizes, files: Files | None = None
) -> tuple[Inputs, Inputs]:
    """Inputs of speech from its loudest sample on, and the same with seeded noise.

    Args:
        recording: speech.
        ports: inputs of one of a pair.
        sizes: a length for each axis.
        files: of inputs that get other values, by name.

    Raises:
        HifiError: a segment is silent.
    """
    real = example(ports, sizes, recording.loudest_first(), loud=True, files=files)
    return real, {name: _noisy(values) for name, values in real.items()}


def paired(real: Inputs, generated: Inputs) -> Inputs:
    """Both as a pair's graph takes them."""
    return real | {f"{name}{SECOND}": values for name, values in generated.items()}


def _noisy(values: Wave) -> Wave:
    noise = np.random.default_rng(SEED).standard_normal(values.shape)
    level = np.sqrt(np.square(values, dtype=np.float64).mean(axis=-1, keepdims=True))
    noisy: Wave = (values + noise * level * 10 ** (-NOISE_DB / 20)).astype(np.float32)
    return noisy
