"""Values for inputs out of files, as ``--input NAME=FILE.npy`` names them."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hifigan_ref.errors import HifiError, in_one_line
from hifigan_ref.network import BATCH, Axis, Port

DIGITS = 8  # of a digest


@dataclass(frozen=True, eq=False)
class InputFile:
    """An array.

    Attributes:
        source: what reports call it: the file's name and the beginning of its digest.
        values: of any length along the axes whose length the caller chooses; in float32.
    """

    source: str
    values: NDArray[np.float32]

    def check(self, port: Port) -> None:
        """Raises HifiError where the array does not fit an input."""
        found = self.values.shape
        fits = len(found) == len(port.shape) and all(
            isinstance(want, Axis) or want == have
            for want, have in zip(port.shape, found, strict=True)
        )
        if not fits:
            wanted = ", ".join(d.name if isinstance(d, Axis) else str(d) for d in port.shape)
            raise HifiError(
                f"input {port.name} is ({wanted}), {self.source} holds {found}: give an array of "
                "that shape, of whatever length where it has a name"
            )

    def cut(self, port: Port, shape: tuple[int, ...], turn: int) -> NDArray[np.float32]:
        """Values of a shape, others for each turn, and the file's own where it has that shape.

        Items follow one another; behind the last one the first is gone on with, where it was left,
        and every axis starts over at its end.
        """
        batched = isinstance(port.shape[0], Axis) and port.shape[0].name == BATCH
        items = self.values if batched else self.values[np.newaxis]
        count = shape[0] if batched else 1
        found = []
        for number in range(turn * count, (turn + 1) * count):
            around, item = divmod(number, len(items))
            taken = items[item]
            for axis, length in enumerate(shape[1:] if batched else shape):
                place = (around * length + np.arange(length)) % taken.shape[axis]
                taken = taken.take(place, axis=axis)
            found.append(taken)
        return np.stack(found) if batched else found[0]


Files = Mapping[str, InputFile]


def read_files(given: Sequence[str]) -> Files:
    """Arrays by the name of their input, from ``z=latents.npy``.

    Raises:
        HifiError: a name is there twice, or a file is no array of finite floating-point values.
    """
    found: dict[str, InputFile] = {}
    for text in given:
        name, _, path = text.partition("=")
        if name in found:
            raise HifiError(f"input {name} is given twice: leave one out")
        found[name] = _read(Path(path))
    return found


def check_files(files: Files, ports: Sequence[Port]) -> None:
    """Raises HifiError for a file of no input, or of one with another shape."""
    known = {port.name: port for port in ports}
    for name, file in files.items():
        if name not in known:
            raise HifiError(
                f"--input {name}: there is no such input: choose from {', '.join(known)}"
            )
        file.check(known[name])


def _read(path: Path) -> InputFile:
    try:
        content = path.read_bytes()
        values = np.load(BytesIO(content), allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        told = error.strerror if isinstance(error, OSError) else in_one_line(error)
        raise HifiError(
            f"{path} cannot be read ({told}): give an array that numpy.save wrote"
        ) from None
    if not isinstance(values, np.ndarray) or not np.issubdtype(values.dtype, np.floating):
        kind = getattr(values, "dtype", "several arrays")
        raise HifiError(f"{path} holds {kind}: give an array of floating-point values")
    if not values.size or not values.ndim:
        raise HifiError(f"{path} holds {values.size} values in {values.ndim} axes: give more")
    with np.errstate(over="ignore"):
        single = values.astype(np.float32)
    wrong = np.argwhere(~np.isfinite(single))
    if len(wrong):
        place = ", ".join(map(str, wrong[0]))
        raise HifiError(
            f"{path} holds {values[tuple(wrong[0])]} at [{place}]: give values that are finite in "
            "float32"
        )
    digest = hashlib.sha256(content).hexdigest()[:DIGITS]
    return InputFile(f"{path.name} {digest}", single)
