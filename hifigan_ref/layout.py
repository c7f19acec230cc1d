"""Where a project's training checkpoints keep the weights of each network."""

import importlib
import pkgutil
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from hifigan_ref.settings import base_of


@dataclass(frozen=True)
class Layout:
    """What a project writes. One file each in ``hifigan_ref/layouts/``.

    Attributes:
        name: short name.
        project: whose code wrote the file.
        files: what its files are called.
        keys: at the top of a file, of the state dict of each network, by the network's name; "" of
            a file that is one.
        beside: of what else lies there and could be taken for it, with a word on what it is.
        inside: what the names of a network's layers begin with in a state dict that holds others
            too, by the network's name.
        renamed: what the names of its layers begin with there, by what they begin with here.
        speakers: key of the vectors of all speakers, beside the layers.
        note: what a user must know of every such file.
    """

    name: str
    project: str
    files: str
    keys: Mapping[str, str]
    beside: Mapping[str, str] = field(default_factory=dict)
    inside: Mapping[str, str] = field(default_factory=dict)
    renamed: Mapping[str, str] = field(default_factory=dict)
    speakers: str = ""
    note: str = ""

    def own(self, network: str, state: Mapping[str, Any]) -> dict[str, Any]:
        """What a state dict without wrappers holds of a network, under the network's own names."""
        begin = self.inside.get(base_of(network), "")
        held = {k.removeprefix(begin): v for k, v in state.items() if k.startswith(begin)}
        return {self._name(key): value for key, value in held.items()}

    def _name(self, key: str) -> str:
        """A name of ours that the project does not use is no name of its layers."""
        for ours, theirs in self.renamed.items():
            if key.startswith(theirs):
                return ours + key.removeprefix(theirs)
            if key.startswith(ours):
                return f"{self.project}: {key}"
        return key

    def __str__(self) -> str:
        return f"{self.project} ({self.files})"


@cache
def layouts() -> tuple[Layout, ...]:
    """Every layout, the project's own first."""
    package = importlib.import_module("hifigan_ref.layouts")
    names = sorted(info.name for info in pkgutil.iter_modules(package.__path__))
    found = [importlib.import_module(f"hifigan_ref.layouts.{name}").LAYOUT for name in names]
    return tuple(sorted(found, key=lambda each: each.name != "jik876"))


def readers(held: Collection[object] = ()) -> Mapping[str, Mapping[str, Layout]]:
    """Networks that a key at the top of a file may hold, by the key, with the layout of each.

    Args:
        held: keys of a file; of several layouts the one counts that knows most of them.
    """
    found: dict[str, dict[str, Layout]] = {}
    for layout in sorted(layouts(), key=lambda each: -len(each.beside.keys() & set(held))):
        for network, key in layout.keys.items():
            found.setdefault(key, {}).setdefault(network, layout)
    return found
