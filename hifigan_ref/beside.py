"""What a checkpoint holds beside the state dicts that are read, where a user must know of it."""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from torch import Tensor

from hifigan_ref.errors import shown
from hifigan_ref.layout import layouts, readers
from hifigan_ref.variant import USUAL
from hifigan_ref.wrappers import split_lead

NAMED_AT_MOST = 5
DEEPEST = 8
_DISCRIMINATOR = re.compile(r"(?:^|[._])(?:mpd|msd|mrd|disc|discriminators?|net_?d)(?:$|[._])")
_AVERAGED = re.compile(r"(?:^|[^a-z])(?:ema|swa|averaged|shadow)(?:$|[^a-z])")
_NVIDIA = ("mpd_ema", "msd_ema", "scaler_d", "scaler_g", "train_setup", "train_state")
OWN = layouts()[0]
_LIKE_NVIDIA = (
    "keys that NVIDIA's DeepLearningExamples write, whose msd has the same weights and other "
    "pools: if the file is theirs, it is read wrongly"
)
Leaf = tuple[tuple[str, ...], Tensor]  # the keys that lead to a tensor


def foreign(content: Mapping[Any, Any]) -> str:
    """What a file without the families holds, and what to do."""
    found = [path for path, _ in _leaves(content) if _is_discriminator(path)]
    if found:
        places = _named({"/".join(path[:-1]) or "its top level" for path in found})
        return (
            f"holds a discriminator in {places} (keys like {shown(found[0][-1])}), where none is "
            f"read: if it is {OWN.project}'s, save state dicts with keys like "
            f"discriminators.0.convs.0.bias under the keys {' and '.join(USUAL)}"
        )
    others = ", ".join(layout.name for layout in layouts() if layout is not OWN)
    do = f"give a file of {OWN}, or of another layout that is known ({others})"
    if "generator" in content and not any(map(_DISCRIMINATOR.search, map(str, content))):
        return (
            "is a generator's checkpoint (g_*) with other layers than those known here: name it, "
            "as in --network generator-v1, and give its config.json with --config; "
            "discriminators are in do_* files"
        )
    held = _named(map(str, content)) or "nothing"
    return f"holds no network that a layout names (it has {held}): {do}"


def notes_on(content: Mapping[Any, Any]) -> tuple[str, ...]:
    """What could be taken for the weights that are read, and what tells another project's file."""
    others: dict[str, list[Leaf]] = {}
    for path, tensor in _leaves(content):
        top = _top(path[0])
        if top not in readers():
            others.setdefault(top, []).append((path, tensor))
    averaged = [
        top
        for top, leaves in others.items()
        if _AVERAGED.search(top.lower()) and any(tensor.dim() for _, tensor in leaves)
    ]
    known = {key: word for layout in layouts() for key, word in layout.beside.items()}
    unread = [
        top
        for top, leaves in others.items()
        if top not in averaged
        and top not in known
        and any(_is_discriminator(path) for path, _ in leaves)
    ]
    nvidia = {_top(str(key)) for key in content} & set(_NVIDIA)
    return (
        *([f"{_named(averaged)}: averaged weights (EMA), which are not read"] if averaged else []),
        *([f"{_named(unread)}: other discriminators, which are not read"] if unread else []),
        *([f"{_named(nvidia)}: {_LIKE_NVIDIA}"] if nvidia else []),
        *(f"{top}: {known[top]}" for top in others if top in known),
    )


def _top(key: str) -> str:
    """What a key begins with: ``module.mpd_ema.discriminators.0.bias`` -> ``mpd_ema``."""
    return split_lead(key)[1].partition(".")[0]


def _is_discriminator(path: tuple[str, ...]) -> bool:
    dotted = ".".join(path).lower()
    return "optim" not in dotted and bool(_DISCRIMINATOR.search(dotted))


def _named(names: Iterable[str]) -> str:
    ordered = sorted(names)
    more = "..." if len(ordered) > NAMED_AT_MOST else ""
    return ", ".join(map(shown, ordered[:NAMED_AT_MOST])) + more


def _leaves(
    value: object, path: tuple[str, ...] = (), seen: set[int] | None = None
) -> Iterator[Leaf]:
    """Every tensor below a value; what holds itself is looked at once."""
    seen = set() if seen is None else seen
    if isinstance(value, Tensor):
        yield path, value
    elif isinstance(value, Mapping | list | tuple) and len(path) < DEEPEST:
        if id(value) in seen:
            return
        seen.add(id(value))
        pairs = value.items() if isinstance(value, Mapping) else enumerate(value)
        for key, each in pairs:
            yield from _leaves(each, (*path, str(key)), seen)
