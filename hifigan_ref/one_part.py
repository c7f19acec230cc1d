"""What networks that are made of no parts have in common."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from torch import nn


class OnePart:
    """A network of one part, whose module takes and gives what its signature says."""

    noun: ClassVar[str] = "part"
    parts: ClassVar[tuple[str, ...]] = ()

    def function(self, module: "nn.Module", parts: Sequence[str], alone: bool) -> "nn.Module":
        """The module itself."""
        del parts, alone
        return module

    def scopes(self, parts: Sequence[str]) -> Mapping[str, str]:
        """None: it is one part."""
        del parts
        return {}

    def folds(self, parts: Sequence[str]) -> None:
        """Nobody knows, or no waveform enters."""
        del parts
