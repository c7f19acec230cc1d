"""The weights of a user's module out of a file: its state dict, strictly."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from hifigan_ref.checkpoint import content_of
from hifigan_ref.errors import HifiError, in_one_line, shown
from hifigan_ref.trained import Trained, finish
from hifigan_ref.variant import Variant
from hifigan_ref.wrappers import unwrap

NAMED_AT_MOST = 3


def filled(variant: Variant, path: Path) -> Trained:
    """A user's module with the weights of a file.

    Raises:
        HifiError: the file holds code or no state dict, or another module's.
    """
    content = content_of(path)
    module = variant.network.build(())
    wanted = set(module.state_dict())
    state = _state(content, wanted)
    missing, extra = sorted(wanted - set(state)), sorted(set(state) - wanted)
    if missing or extra:
        raise HifiError(
            f"{path} does not fit {variant}: {_told('missing', missing)}{_told('extra', extra)}"
            "give a state dict of this very class"
        )
    try:
        module.load_state_dict(state, strict=True)
    except RuntimeError as error:
        raise HifiError(f"{path} does not fit {variant}: {in_one_line(error)}") from None
    return finish(variant, module, path.name)


def _state(content: Mapping[Any, Any], wanted: set[str]) -> dict[str, Any]:
    """The state dict in a file: all of it, or the one under a key that fits best."""
    inner = [each for each in content.values() if isinstance(each, Mapping)]
    found: list[dict[str, Any]] = []
    for each in (content, *inner):
        if each and all(isinstance(name, str) for name in each):
            _, bare = unwrap(each)
            found.append({name: tensor for name, tensor in bare.items() if _is_state(name, tensor)})
    return max(found, key=lambda state: len(wanted & set(state)), default={})


def _is_state(name: str, value: object) -> bool:
    return isinstance(value, Tensor) or name.endswith("_extra_state")


def _told(what: str, names: list[str]) -> str:
    more = len(names) - NAMED_AT_MOST
    named = ", ".join(map(shown, names[:NAMED_AT_MOST]))
    return f"{what} {named}{f' and {more} more' if more > 0 else ''}; " if names else ""
