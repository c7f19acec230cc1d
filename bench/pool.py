"""Inputs that rotate, so that no runtime is timed on one that it has just seen, and references.

They lie in files, so that every cell's process reads the same numbers.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bench.judge import Arrays, Reference
from hifigan_ref.audio import Recording
from hifigan_ref.errors import HifiError
from hifigan_ref.examples import example
from hifigan_ref.input_files import Files
from hifigan_ref.network import Signature, Sizes

SIZE = 8
FLOAT32 = "fp32"
Inputs = Mapping[str, NDArray[np.float32]]


def draw(
    recording: Recording, signature: Signature, sizes: Sizes, files: Files | None = None
) -> list[Inputs]:
    """Inputs of a signature, out of a recording and files; the first are those that are checked.

    Raises:
        HifiError: of those that are checked a waveform is silent.
    """
    return [
        example(signature.inputs, sizes, recording, turn, loud=turn == 0, files=files)
        for turn in range(SIZE)
    ]


def save(
    folder: Path,
    inputs: Sequence[Inputs],
    expected: Reference,
    others: Mapping[str, Arrays] | None = None,
) -> None:
    """Write the inputs and what PyTorch says of the first.

    Args:
        folder: that is made where it is not there.
        inputs: that rotate.
        expected: in float64 and in float32.
        others: what PyTorch says in other precisions, by name.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for turn, named in enumerate(inputs):
        _save(folder / f"inputs-{turn}.npz", named)
    _save(folder / "exact.npz", expected.exact)
    for name, arrays in {FLOAT32: expected.torch, **(others or {})}.items():
        _save(folder / f"torch-{name}.npz", arrays)


def load_inputs(folder: Path) -> list[Inputs]:
    """The inputs, in order."""
    paths = sorted(folder.glob("inputs-*.npz"), key=lambda path: int(path.stem.partition("-")[2]))
    return [_load(path) for path in paths]


def load_reference(folder: Path, name: str = FLOAT32) -> Reference:
    """What PyTorch says of the first input, in float64 and in a precision."""
    return Reference(_load(folder / "exact.npz"), _load(folder / f"torch-{name}.npz"))


def _save(path: Path, arrays: Mapping[str, NDArray[np.floating]]) -> None:
    try:
        np.savez(path, allow_pickle=False, **arrays)
    except OSError as error:
        raise HifiError(
            f"cannot write {path}: {error.strerror or error}: set TMPDIR to a folder "
            "with more space"
        ) from None


def _load(path: Path) -> dict[str, NDArray[np.float32]]:
    with np.load(path, allow_pickle=False) as archive:
        return {name: archive[name] for name in archive.files}
