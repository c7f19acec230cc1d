"""Reading ``do_*`` training checkpoints: safely, strictly, in every spelling seen in the wild.

Keys and shapes do not identify a network: other projects use the same ones for other mathematics.
The layout is jik876/hifi-gan's; whoever passes a file says that it is.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from hifigan_ref.beside import foreign, notes_on
from hifigan_ref.container import Container, check_archive, container_of
from hifigan_ref.errors import HifiError
from hifigan_ref.norms import set_norm
from hifigan_ref.safetensors_file import read_safetensors
from hifigan_ref.state_dict import Layer, read_family
from hifigan_ref.trained import Trained, convolutions, finish
from hifigan_ref.unpickle import unpickle
from hifigan_ref.variant import Variant, families, find_family
from hifigan_ref.wrappers import unwrap

UNCHECKED = "the file has no checksums: damage to its weights cannot be seen"


@dataclass(frozen=True)
class Checkpoint:
    """A source of weights: a training checkpoint, read and checked.

    Attributes:
        name: the file's name, without its folder.
        container: ``zip``, ``legacy`` (PyTorch before 1.6) or ``safetensors``.
        prefixes: wrappers in the keys of each family, or "" (``module.``: DataParallel;
            ``_orig_mod.``: torch.compile).
        steps: training steps, or None where the file does not say.
        families: layers by family and path (``discriminators.0.convs.1``).
        notes: what a user must know of what else is in the file.
    """

    name: str
    container: Container
    prefixes: Mapping[str, str]
    steps: int | None
    families: Mapping[str, Mapping[str, Layer]]
    notes: tuple[str, ...]

    @property
    def prefixed(self) -> bool:
        """Whether any key had a wrapper."""
        return any(self.prefixes.values())

    def check(self, variant: Variant) -> None:
        """Raises HifiError where the file does not hold the family."""
        if variant.family not in self.families:
            held = ", ".join(self.families)
            raise HifiError(f"{self.name} holds {held}, not {variant.family}: choose one it holds")

    def build(self, variant: Variant) -> Trained:
        """The variant with this checkpoint's weights and norms.

        Raises:
            HifiError: the file does not hold the family.
        """
        self.check(variant)
        module = find_family(variant.family).build(variant.members())
        state: dict[str, Tensor] = {}
        for path, conv in convolutions(module).items():
            layer = self.families[variant.family][variant.in_family(path)]
            set_norm(conv, layer.norm)
            state |= {f"{path}.{name}": tensor for name, tensor in layer.tensors.items()}
        module.load_state_dict(state, strict=True)
        return finish(variant, module, self.name)


def read_checkpoint(path: Path) -> Checkpoint:
    """Read a file that holds ``mpd``, ``msd`` or both.

    Raises:
        HifiError: missing, truncated, foreign, holding code, or with missing, extra, misshapen or
            non-finite weights.
    """
    container = container_of(path)
    content, notes = _content(path, container)
    held = {name: content[name] for name in families() if name in content}
    if not held:
        raise HifiError(f"{path} {foreign(content)}")
    prefixes, parsed = {}, {}
    for name, state in held.items():
        if not isinstance(state, Mapping) or not all(isinstance(key, str) for key in state):
            raise HifiError(f"{path}: {name!r} is not a state dict: give a do_* file")
        prefixes[name], bare = unwrap(state)
        parsed[name] = read_family(f"{path}: {name}", name, bare)
    notes += notes_on(content)
    return Checkpoint(path.name, container, prefixes, _steps(content.get("steps")), parsed, notes)


def _content(path: Path, container: Container) -> tuple[Mapping[Any, Any], tuple[str, ...]]:
    """What a file holds, by its keys, and what there is to say of the file itself."""
    if container == "safetensors":
        return read_safetensors(path), ()
    if container == "legacy":
        return unpickle(path, mapped=False), ()
    archive = check_archive(path)
    return unpickle(path, mapped=archive.stored), () if archive.checked else (UNCHECKED,)


def _steps(found: object) -> int | None:
    """A number of Python's, or one in a tensor."""
    if isinstance(found, Tensor) and found.numel() == 1 and found.device.type == "cpu":
        found = found.item()
    return found if isinstance(found, int) and not isinstance(found, bool) else None
