"""The backends in the terminal: which can run here, and what the others lack."""

from collections.abc import Iterator, Mapping

from bench.backend import Backend, lacking


def lines(backends: Mapping[str, Backend]) -> Iterator[str]:
    """A line for each, and one more for what it lacks."""
    for name, backend in backends.items():
        missing = lacking(backend)
        yield f"{name:<20}{'runs here' if missing is None else 'missing':<12}{backend.purpose}"
        if missing is not None:
            yield f"{'':<32}{missing}"
