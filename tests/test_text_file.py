"""Text that a user wrote: any editor's UTF-8, and what is told of everything else."""

from pathlib import Path

import pytest

from hifigan_ref.text_file import UnreadableError, read_text

TEXT = 'origin = "Prüfstand"\r\n'


@pytest.mark.parametrize("coding", ["utf-8", "utf-8-sig"])
def test_utf_8_is_read_with_and_without_a_mark(tmp_path: Path, coding: str) -> None:
    path = tmp_path / "a"
    path.write_bytes(TEXT.encode(coding))
    assert read_text(path) == TEXT


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (TEXT.encode("utf-16"), "it is text in UTF-16: save it as UTF-8"),
        (b"\xfe\xff" + TEXT.encode("utf-16-be"), "it is text in UTF-16: save it as UTF-8"),
        (TEXT.encode("utf-32"), "it is text in UTF-32: save it as UTF-8"),
        (TEXT.encode("utf-16-le"), "it is text in UTF-16, or none: save it as UTF-8"),
        (TEXT.encode("latin-1"), "it is no text in UTF-8 (line 1): save it as such"),
        (b"a\nb\n\xff", "it is no text in UTF-8 (line 3): save it as such"),
    ],
)
def test_everything_else_is_told_as_what_it_is(tmp_path: Path, content: bytes, told: str) -> None:
    path = tmp_path / "a"
    path.write_bytes(content)
    with pytest.raises(UnreadableError) as caught:
        read_text(path)
    assert str(caught.value) == told


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("none", "No such file or directory"),
        (".", "Is a directory"),
        ("a\0b", "it is no name of a file"),
        ("long" * 100, "File name too long"),
    ],
)
def test_no_file_is_told_as_the_system_tells_it(tmp_path: Path, name: str, told: str) -> None:
    with pytest.raises(UnreadableError, match=told):
        read_text(tmp_path / name)
