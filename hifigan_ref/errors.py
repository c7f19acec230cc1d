"""Errors that a user can cause, and the error of any library in one line."""

import re
from difflib import SequenceMatcher, get_close_matches
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

MOST_CHARACTERS = 300
SHOWN_AT_MOST = 160  # characters of a text out of a file
MOST_LIKE = 5  # names out of a long list
ALIKE = 0.6  # of two words, from 0 to 1
_COLOUR = re.compile(r"\x1b\[[\d;]*m")
# Lines that say where in a library's sources, and not what.
_POINTER = re.compile(
    r"Exception from \S+:\d+:?"
    r"|Check '.*' failed at \S+:\d+:?"
    r"|\[?\S+\.(c|cc|cpp|cxx|cu|h|hpp|py):\d+\]?:?"
    r"|File \".*\", line \d+.*"
)
# What follows such a line says how to look further.
_ADVICE = re.compile(
    r"Exception raised from |frame #\d|(C\+\+ )?Stack ?trace|Traceback \(|from user code"
    r"|Set TORCH|CUDA kernel errors might|For debugging consider|Compile with `TORCH"
    r"|You can suppress this|at 0x[0-9a-f]|For more details about|Hint:|Developer debug context",
    re.IGNORECASE,
)


class HifiError(Exception):
    """One line: what was given, what is allowed, what to do.

    Only ``cli.py`` catches it (exit code 1, no traceback); anything else is a bug and keeps its
    traceback.
    """


class UsageError(HifiError):
    """A name on the command line that nothing has: exit code 2, as for an unknown option."""


def in_one_line(error: BaseException) -> str:
    """What an exception says, of at most ``MOST_CHARACTERS``; its type's name if it says nothing.

    1. Lines that only point at sources, are empty or draw a ruler are left out.
    2. From the first that advises how to look further, so is the rest.
    3. What is left is joined. Of a long text both ends stay: a C++ library tells the cause last,
       Python tells it first.
    """
    text = _COLOUR.sub("", str(error))
    lines = [" ".join(line.split()) for line in text.splitlines()]
    kept: list[str] = []
    for line in lines:
        if kept and _ADVICE.match(line):
            break
        if any(map(str.isalnum, line)) and not _POINTER.fullmatch(line):
            kept.append(line)
    told = _joined(kept or [line for line in lines if line])
    told = "".join(each for each in told if each.isprintable())
    if len(told) > MOST_CHARACTERS:
        end = MOST_CHARACTERS // 2
        told = f"{told[: end - 5].rstrip()} ... {told[-end:].lstrip()}"
    return told or type(error).__name__


def named(error: BaseException) -> str:
    """The same after its type: ``RuntimeError: out of memory``."""
    name, told = type(error).__name__, in_one_line(error)
    return name if told == name else f"{name}: {told}"


def nearest(word: str, known: "Iterable[str]") -> str:
    """``did you mean 'torch'? `` where a known word is like it, else nothing."""
    alike = {each: SequenceMatcher(None, each.lower(), word.lower()).ratio() for each in known}
    best = max(alike, key=lambda each: alike[each], default="")
    return f"did you mean {best!r}? " if best and alike[best] >= ALIKE else ""


def like(word: str, known: "Iterable[str]") -> str:
    """``; like it are abs, acos``: of many names those that are nearest, else nothing."""
    found = get_close_matches(word, list(known), MOST_LIKE, ALIKE)
    return f"; like it are {', '.join(found)}" if found else ""


def _joined(lines: list[str]) -> str:
    told = ""
    for line in lines:
        told += line if not told else f" {line}" if told.endswith((":", ".", ";")) else f"; {line}"
    return told


def shown(text: str) -> str:
    """A text out of a file, fit for one line of a terminal."""
    return "".join(c if c.isprintable() else "?" for c in text[:SHOWN_AT_MOST])
