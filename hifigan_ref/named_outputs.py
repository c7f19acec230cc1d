"""Whatever a module's forward returns, by name."""

from collections.abc import Mapping
from typing import Any

from hifigan_ref.errors import HifiError


def named_outputs(found: Any) -> dict[str, Any]:
    """One tensor as ``output``, several as ``output_0``..., a mapping as it is.

    Raises:
        HifiError: it is empty, or a name is no text.
    """
    if isinstance(found, Mapping):
        named = dict(found)
    elif isinstance(found, list | tuple):
        named = {f"output_{place}": each for place, each in enumerate(found)}
    else:
        named = {"output": found}
    if not named or not all(isinstance(name, str) for name in named):
        raise HifiError(
            f"a forward that returns {type(found).__name__} of {len(named)}: return a tensor, or "
            "a tuple or a dict of tensors"
        )
    return named
