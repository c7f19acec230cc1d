"""The root of every error that a user can cause."""


class HifiError(Exception):
    """One line: what was given, what is allowed, what to do.

    Only ``cli.py`` catches it (exit code 1, no traceback); anything else is a bug and keeps its
    traceback.
    """
