"""Wrappers that training puts around a network, and that write themselves into its keys."""

import re
from collections.abc import Mapping
from typing import Any

# DataParallel, DistributedDataParallel and AveragedModel; torch.compile.
_LEAD = re.compile(r"((?:(?:module|_orig_mod)\.)*)(.*)", re.DOTALL)
_INNER = re.compile(r"(?<=\.)(?:module|_orig_mod)\.")


def split_lead(key: str) -> tuple[str, str]:
    """``module._orig_mod.mpd.x`` -> ``module._orig_mod.`` and ``mpd.x``."""
    matched = _LEAD.fullmatch(key)
    assert matched, "it matches every text"
    return matched[1], matched[2]


def unwrap(state: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """A state dict as the bare network would have written it, and what its keys had in front.

    The whole network may be wrapped, which is then in front of every key, and any part of it. Where
    two keys become one, and where only some have a wrapper in front, they stay as they are.
    """
    leads = {split_lead(key)[0] for key in state}
    lead = leads.pop() if len(leads) == 1 else ""
    bare: dict[str, Any] = {}
    inner: set[str] = set()
    # keys without a wrapper first: they have the better claim to their name
    for key in sorted(state, key=lambda each: len(_INNER.findall(each))):
        found = _INNER.findall(key.removeprefix(lead))
        name = _INNER.sub("", key.removeprefix(lead))
        taken = name in bare
        bare[key if taken else name] = state[key]
        inner.update(() if taken else found)
    return " and inside ".join(filter(None, (lead, "".join(sorted(inner))))), bare
