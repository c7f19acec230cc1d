"""Where weights come from, told before they are read, so that a cache can be asked first."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from hifigan_ref.errors import HifiError
from hifigan_ref.module_spec import is_module
from hifigan_ref.variant import Variant

if TYPE_CHECKING:
    from hifigan_ref.checkpoint import Checkpoint
    from hifigan_ref.seeded import Seeded
    from hifigan_ref.trained import Trained


class Weights(Protocol):
    """Weights for any variant."""

    @property
    def checkpoint(self) -> Path | None:
        """File that they are read from."""

    @property
    def seed(self) -> int:
        """That they are drawn from without a file."""

    @property
    def origin(self) -> str:
        """What they are called in reports."""

    @property
    def identity(self) -> str:
        """The same for the same weights."""

    def build(self, variant: Variant) -> "Trained":
        """The variant's network, filled. Raises HifiError where they do not hold it."""


@dataclass(frozen=True)
class Source:
    """A checkpoint or a seed; reads or draws the weights when they are first asked for.

    Attributes:
        checkpoint: of training code that is known, or a state dict of a user's own module; None
            for seeded weights.
        seed: without a checkpoint.
    """

    checkpoint: Path | None = None
    seed: int = 0

    @property
    def origin(self) -> str:
        """``seed 0``, or the file's name."""
        return f"seed {self.seed}" if self.checkpoint is None else self.checkpoint.name

    @cached_property
    def identity(self) -> str:
        """The same for the same weights; needs no PyTorch.

        Raises:
            HifiError: the checkpoint cannot be read.
        """
        if self.checkpoint is None:
            return f"seed {self.seed}"
        try:
            with self.checkpoint.open("rb") as file:
                digest = hashlib.file_digest(file, "sha256").hexdigest()
        except OSError as error:
            raise HifiError(
                f"checkpoint {self.checkpoint} cannot be read ({error.strerror}): "
                "give the path of a do_* file"
            ) from None
        return f"{self.checkpoint.name} {digest}"

    def check(self, variants: Sequence[Variant]) -> None:
        """Raises HifiError where the checkpoint does not hold every family, before any work."""
        for variant in variants:
            if self.checkpoint is None or self.checkpoint == variant.graph_file:
                continue
            if variant.graph_file is not None:
                raise HifiError(
                    f"{variant.graph_file} has weights of its own: leave out {self.checkpoint}"
                )
            if not is_module(variant.family):
                self._weights.check(variant)  # type: ignore[union-attr]

    def build(self, variant: Variant) -> "Trained":
        """The variant's network, filled. Raises HifiError where the file does not hold it."""
        if variant.graph_file is not None:
            from hifigan_ref.trained import finish

            return finish(variant, variant.network.build(()), variant.graph_file.name)
        if self.checkpoint is not None and is_module(variant.family):
            from hifigan_ref.state_file import filled

            return filled(variant, self.checkpoint)
        return self._weights.build(variant)

    @classmethod
    def of(cls, variants: Sequence[Variant], checkpoint: Path | None, seed: int) -> "Source":
        """Where the weights of some networks come from: of a graph, out of its own file."""
        files = {variant.graph_file for variant in variants}
        own = files.pop() if len(files) == 1 else None
        return cls(checkpoint or own, seed)

    @property
    def notes(self) -> tuple[str, ...]:
        """What a user must know of the checkpoint; nothing of one that was not read so far."""
        read = vars(self).get("_weights")
        return () if self.checkpoint is None or read is None else read.notes

    @cached_property
    def _weights(self) -> "Seeded | Checkpoint":
        if self.checkpoint is None:
            from hifigan_ref.seeded import Seeded

            return Seeded(self.seed)
        from hifigan_ref.checkpoint import read_checkpoint

        return read_checkpoint(self.checkpoint)
