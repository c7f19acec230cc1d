"""Text that a user wrote, in whichever editor."""

import codecs
from pathlib import Path

from hifigan_ref.errors import HifiError

WIDE = {
    codecs.BOM_UTF32_LE: "UTF-32",  # begins as UTF-16 does, and so comes first
    codecs.BOM_UTF32_BE: "UTF-32",
    codecs.BOM_UTF16_LE: "UTF-16",
    codecs.BOM_UTF16_BE: "UTF-16",
}


class UnreadableError(HifiError):
    """Why a file is not read; the caller says which file and what to give instead."""


def read_text(path: Path) -> str:
    """A file in UTF-8, without the byte-order mark that some editors write before it.

    Raises:
        UnreadableError: not there, or no text in UTF-8.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise UnreadableError(error.strerror or str(error)) from None
    except ValueError:  # a NUL in its name
        raise UnreadableError("it is no name of a file") from None
    wide = next((name for mark, name in WIDE.items() if content.startswith(mark)), "")
    if wide or b"\0" in content:
        raise UnreadableError(f"it is text in {wide or 'UTF-16, or none'}: save it as UTF-8")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise UnreadableError(f"it is no text in UTF-8 (line {line}): save it as such") from None
