"""Reading training checkpoints: safely, strictly, in every spelling seen in the wild.

Keys and shapes do not identify a network: other projects use the same ones for other mathematics.
Layouts are named, and whoever passes a file for a network says that it is of one.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from hifigan_ref.beside import foreign, notes_on
from hifigan_ref.container import Container, check_archive, container_of
from hifigan_ref.errors import HifiError
from hifigan_ref.layout import Layout, layouts, readers
from hifigan_ref.norms import set_norm
from hifigan_ref.safetensors_file import read_safetensors
from hifigan_ref.settings import MARK, SPEAKER, Settings, base_of, stored_as
from hifigan_ref.speaker import fix_speaker
from hifigan_ref.state_dict import Layer, likeness, read_state
from hifigan_ref.trained import Trained, convolutions, finish, statistics
from hifigan_ref.unpickle import unpickle
from hifigan_ref.variant import Variant
from hifigan_ref.wrappers import unwrap

STEPS = ("steps", "iteration", "global_step")  # keys of the number of training steps
MOST = 0.5  # of a network's layers
UNCHECKED = "the file has no checksums: damage to its weights cannot be seen"


@dataclass(frozen=True)
class Checkpoint:
    """A source of weights: a training checkpoint, read and checked.

    Attributes:
        name: the file's name, without its folder.
        container: ``zip``, ``legacy`` (PyTorch before 1.6) or ``safetensors``.
        prefixes: wrappers in the keys of each network, or "" (``module.``: DataParallel;
            ``_orig_mod.``: torch.compile).
        steps: training steps, or None where the file does not say.
        layouts: whose names each network has.
        families: layers by network and path (``discriminators.0.convs.1``).
        notes: what a user must know of what else is in the file.
        speakers: vectors of all speakers, (speakers, channels), of networks that have them.
    """

    name: str
    container: Container
    prefixes: Mapping[str, str]
    steps: int | None
    layouts: Mapping[str, Layout]
    families: Mapping[str, Mapping[str, Layer]]
    notes: tuple[str, ...]
    speakers: Mapping[str, Tensor | None]

    @property
    def layout(self) -> str:
        """Names of its layouts."""
        return ", ".join(dict.fromkeys(layout.name for layout in self.layouts.values()))

    @property
    def prefixed(self) -> bool:
        """Whether any key had a wrapper."""
        return any(self.prefixes.values())

    def check(self, variant: Variant) -> None:
        """Raises HifiError where the file does not hold the family."""
        if stored_as(variant.family) not in self.families:
            held = ", ".join(self.families)
            base = base_of(variant.family)
            files = " or ".join(str(each) for each in layouts() if base in each.keys)
            raise HifiError(
                f"{self.name} holds {held}, not {variant.family}: choose one it holds, as in "
                f"--network {next(iter(self.families))}, or give a file of {files}"
            )

    def build(self, variant: Variant) -> Trained:
        """The variant with this checkpoint's weights and norms.

        Raises:
            HifiError: the file does not hold the family.
        """
        self.check(variant)
        settings = Settings.parse(variant.family) if MARK in variant.family else None
        if settings is not None and SPEAKER in settings.values:
            return self._spoken(variant, settings.values[SPEAKER])
        module = variant.network.build(variant.members())
        state: dict[str, Tensor] = {}
        for path, conv in convolutions(module).items():
            layer = self.families[variant.family][variant.in_family(path)]
            set_norm(conv, layer.norm)
            state |= {f"{path}.{name}": tensor for name, tensor in layer.tensors.items()}
        for path in statistics(module):
            state |= self.families[variant.family][variant.in_family(path)].tensors
        module.load_state_dict(state, strict=True)
        return finish(variant, module, self.name)

    def _spoken(self, variant: Variant, speaker: int) -> Trained:
        """With one of its speakers. Raises HifiError where it does not hold that."""
        many = stored_as(variant.family)
        module = self.build(Variant(many)).module
        fix_speaker(module, self.speakers[many], speaker, self.name)
        return finish(variant, module, self.name)


def read_checkpoint(path: Path, wanted: Collection[str] = ()) -> Checkpoint:
    """Read a file that holds one of the networks that some layout names, or several.

    Args:
        path: of the file.
        wanted: networks that are asked for: where a state dict is as like to several, it is one of
            these, and what can be none of these need not be whole.

    Raises:
        HifiError: missing, truncated, foreign, holding code, or with missing, extra, misshapen or
            non-finite weights.
    """
    container = container_of(path)
    content, notes = _content(path, container)
    prefixes, named, parsed, speakers = {}, {}, {}, {}
    for key, networks in readers(content).items():
        state = content.get(key) if key else content
        if not isinstance(state, Mapping) or not all(isinstance(name, str) for name in state):
            if key not in content or key not in networks:
                continue  # a key of many projects
            raise HifiError(f"{path}: {key!r} is not a state dict: give a do_* file")
        prefix, bare = unwrap(state)
        asked = {name: networks[base_of(name)] for name in wanted if base_of(name) in networks}
        known = {**networks, **asked}
        states = {name: layout.own(name, bare) for name, layout in known.items()}
        name = _named(states, wanted, not key)
        if name is not None:
            prefixes[name], named[name] = prefix, known[name]
            where = f"{path}: {key}" if key else str(path)
            parsed[name] = read_state(where, name, states[name], known[name])
            speakers[name] = bare.get(known[name].speakers)
    if not parsed:
        raise HifiError(f"{path} {foreign(content)}")
    notes += notes_on(content)
    notes += tuple(f"{each}: {named[each].note}" for each in named if named[each].note)
    steps = _steps(next((content[key] for key in STEPS if key in content), None))
    return Checkpoint(path.name, container, prefixes, steps, named, parsed, notes, speakers)


def content_of(path: Path) -> Mapping[Any, Any]:
    """What a file holds, read without running any code of it.

    Raises:
        HifiError: missing, truncated, or holding code.
    """
    content, _ = _content(path, container_of(path))
    return content


def _named(
    states: Mapping[str, Mapping[str, Any]], wanted: Collection[str], flat: bool
) -> str | None:
    """The network whose layers its own state dict has; None where each has those of another.

    A flat file is of one only if it has most of its layers, or if that is asked for.
    """
    alike = {name: likeness(name, state) for name, state in states.items()}
    best = max(alike, key=lambda name: (alike[name], name in wanted))
    if len(states) == 1:
        return best
    foreign = alike[best] < 1 and wanted and not alike.keys() & set(wanted)
    chance = flat and alike[best] < MOST and best not in wanted
    return None if foreign or chance or alike[best] == 0 else best


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
