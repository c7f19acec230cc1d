"""One measures at a time: two sweeps on a machine take turns instead of slowing each other."""

from contextlib import AbstractContextManager

from export import store


def turn() -> AbstractContextManager[None]:
    """Held while a cell works; waits for whoever holds it. Raises HifiError as ``store.hold``."""
    return store.hold("measuring")
