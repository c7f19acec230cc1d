"""The root of every error that a user can cause."""


class HifiError(Exception):
    """One line: what was given, what is allowed, what to do.

    Only ``cli.py`` catches it (exit code 1, no traceback); anything else is a bug and keeps its
    traceback.
    """


SHOWN_AT_MOST = 160  # characters


def shown(text: str) -> str:
    """A text out of a file, fit for one line of a terminal."""
    return "".join(c if c.isprintable() else "?" for c in text[:SHOWN_AT_MOST])
