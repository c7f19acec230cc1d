"""Where weights come from, told before they are read, so that a cache can be asked first."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from hifigan_ref.errors import HifiError
from hifigan_ref.module_spec import is_module
from hifigan_ref.settings import stored_as
from hifigan_ref.variant import Variant

if TYPE_CHECKING:
    from hifigan_ref.checkpoint import Checkpoint
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
        if self.checkpoint is None:
            return
        for variant in variants:
            if variant.graph_file not in (None, self.checkpoint):
                raise HifiError(
                    f"{variant.graph_file} has weights of its own: leave out {self.checkpoint}"
                )
        held = [each for each in variants if not is_module(each.family)]
        if held:
            checkpoint = self._read(tuple(stored_as(variant.family) for variant in held))
            for variant in held:
                checkpoint.check(variant)

    def build(self, variant: Variant) -> "Trained":
        """The variant's network, filled. Raises HifiError where the file does not hold it."""
        if variant.graph_file is not None:
            from hifigan_ref.trained import finish

            return finish(variant, variant.network.build(()), variant.graph_file.name)
        if self.checkpoint is None:
            from hifigan_ref.seeded import Seeded

            return Seeded(self.seed).build(variant)
        if is_module(variant.family):
            from hifigan_ref.state_file import filled

            return filled(variant, self.checkpoint)
        return self._read((stored_as(variant.family),)).build(variant)

    @classmethod
    def of(cls, variants: Sequence[Variant], checkpoint: Path | None, seed: int) -> "Source":
        """Where the weights of some networks come from: of a graph, out of its own file."""
        files = {variant.graph_file for variant in variants}
        own = files.pop() if len(files) == 1 else None
        return cls(checkpoint or own, seed)

    @property
    def notes(self) -> tuple[str, ...]:
        """What a user must know of the checkpoint; nothing of one that was not read so far."""
        return tuple(dict.fromkeys(note for each in self._kept for note in each.notes))

    def _read(self, families: tuple[str, ...]) -> "Checkpoint":
        """The checkpoint, read once for the networks that it holds."""
        from hifigan_ref.checkpoint import read_checkpoint

        assert self.checkpoint is not None, "it is read where there is one"
        held = (each for each in self._kept if each.families.keys() >= set(families))
        found = next(held, None)
        if found is None:
            found = read_checkpoint(self.checkpoint, families)
            self._kept.append(found)
        return found

    @cached_property
    def _kept(self) -> "list[Checkpoint]":
        return []
