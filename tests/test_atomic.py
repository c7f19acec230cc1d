"""A file is the old one or the new one: on errors, and when the process is killed."""

import errno
import os
import random
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from export import atomic, owned, scratch, store
from hifigan_ref.errors import HifiError

ROOT = Path(__file__).parents[1]


def test_a_new_file_and_its_folders(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b" / "file.onnx"
    atomic.write(path, b"content")
    assert path.read_bytes() == b"content"
    assert [*path.parent.iterdir()] == [path]


def test_an_old_file_is_replaced_whole(tmp_path: Path) -> None:
    path = tmp_path / "file"
    atomic.write(path, b"a longer old content")
    atomic.write(path, b"new")
    assert path.read_bytes() == b"new"
    atomic.write(path, b"")
    assert path.read_bytes() == b""
    assert [*tmp_path.iterdir()] == [path]


def test_a_reader_keeps_the_file_it_opened(tmp_path: Path) -> None:
    path = tmp_path / "file"
    atomic.write(path, b"old")
    with path.open("rb") as reader:
        atomic.write(path, b"new")
        assert reader.read() == b"old"


@pytest.mark.parametrize("mask", [0o022, 0o077])
def test_others_may_read_it_as_any_new_file(tmp_path: Path, mask: int) -> None:
    previous = os.umask(mask)
    try:
        atomic.write(tmp_path / "file", b"x")
        (tmp_path / "plain").write_bytes(b"x")
        assert os.umask(mask) == mask  # and the process keeps its mask
    finally:
        os.umask(previous)
    modes = [stat.S_IMODE((tmp_path / name).stat().st_mode) for name in ("file", "plain")]
    assert modes[0] == modes[1]


@pytest.mark.parametrize("function", [(os, "fsync"), (Path, "chmod"), (Path, "replace")])
def test_a_full_disk_leaves_the_old_file_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, function: tuple[object, str]
) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"old")

    def fail(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(*function, fail)
    with pytest.raises(HifiError) as caught:
        atomic.write(path, b"new")
    message = str(caught.value)
    assert str(path) in message
    assert "No space left on device: free some space" in message
    assert "\n" not in message
    assert path.read_bytes() == b"old"
    assert [*tmp_path.iterdir()] == [path]


@pytest.mark.parametrize("failing", [1, 2, 3])
def test_several_files_are_written_or_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failing: int
) -> None:
    paths = [tmp_path / name for name in ("a", "b", "c")]
    paths[0].write_bytes(b"old")
    calls = []

    def fail(handle: int) -> None:
        calls.append(handle)
        if len(calls) == failing:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", fail)
        with pytest.raises(HifiError, match=f"{paths[failing - 1]}: No space left"):
            atomic.write_all(dict.fromkeys(paths, b"new"))
    assert [*tmp_path.iterdir()] == [paths[0]]
    assert paths[0].read_bytes() == b"old"
    atomic.write_all(dict.fromkeys(paths, b"new"))
    assert [path.read_bytes() for path in paths] == [b"new"] * 3
    assert sorted(tmp_path.iterdir()) == paths


def test_a_folder_in_the_place_of_one_of_several_leaves_the_others_alone(tmp_path: Path) -> None:
    paths = [tmp_path / name for name in ("mpd-11.onnx", "mpd-11.json")]
    paths[0].write_bytes(b"old")
    paths[1].mkdir()
    with pytest.raises(HifiError, match="cannot write"):
        atomic.write_all(dict.fromkeys(paths, b"new"))
    assert paths[0].read_bytes() == b"old"
    assert sorted(tmp_path.iterdir()) == sorted(paths)


def test_a_full_disk_leaves_no_new_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(HifiError, match="free some space"):
        atomic.write(tmp_path / "file", b"new")
    assert [*tmp_path.iterdir()] == []


def test_an_interruption_leaves_no_trace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(_: int) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", interrupt)
    with pytest.raises(KeyboardInterrupt):
        atomic.write(tmp_path / "file", b"new")
    assert [*tmp_path.iterdir()] == []


def test_a_folder_that_cannot_be_made_is_refused(tmp_path: Path) -> None:
    """Below a regular file nobody can make one, not even root."""
    (tmp_path / "regular").write_bytes(b"x")
    for folder in (tmp_path / "regular", tmp_path / "regular" / "deeper"):
        with pytest.raises(HifiError) as checked:
            atomic.check_writable(folder)
        with pytest.raises(HifiError) as written:
            atomic.write(folder / "file", b"x")
        for message in (str(checked.value), str(written.value)):
            assert str(folder) in message
            assert "choose another --out" in message
            assert "\n" not in message
    assert (tmp_path / "regular").read_bytes() == b"x"


def test_a_folder_in_the_place_of_the_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "file.onnx"
    path.mkdir()
    with pytest.raises(HifiError, match="cannot write"):
        atomic.write(path, b"x")
    assert [*tmp_path.iterdir()] == [path]


def test_looking_whether_a_folder_is_writable_makes_nothing(tmp_path: Path) -> None:
    atomic.check_writable(tmp_path / "a" / "b")
    assert [*tmp_path.iterdir()] == []


WRITER = """
import sys
from pathlib import Path
from export import atomic, owned, scratch, store
path, contents = Path(sys.argv[1]), (b"a" * 3_000_000, b"b" * 5_000_000)
print("ready", flush=True)
for turn in range(10**9):
    atomic.write(path, contents[turn % 2])
"""


def test_a_kill_at_any_moment_leaves_one_of_the_two(tmp_path: Path) -> None:
    path = tmp_path / "file"
    whole = {b"a" * 3_000_000, b"b" * 5_000_000}
    path.write_bytes(b"a" * 3_000_000)
    delays = random.Random(0)
    left = 0
    for _ in range(20):
        with subprocess.Popen(
            [sys.executable, "-c", WRITER, str(path)], cwd=ROOT, stdout=subprocess.PIPE
        ) as writer:
            assert writer.stdout is not None
            assert writer.stdout.readline() == b"ready\n"
            time.sleep(delays.uniform(0, 0.04))
            writer.send_signal(signal.SIGKILL)
        assert writer.returncode == -signal.SIGKILL
        assert path.read_bytes() in whole
        left += len(parts_in(tmp_path))
        atomic.write(tmp_path / "another file", b"")
        assert not parts_in(tmp_path), "nobody writes it any more"
    assert left > 0, "no kill came at a moment that leaves something"


HALF = """
import os, sys, time
from pathlib import Path
from export import atomic, owned, scratch, store
def wait(_):
    print("ready", flush=True)
    time.sleep(600)
os.fsync = wait
atomic.write(Path(sys.argv[1]), b"half")
"""


def parts_in(folder: Path) -> list[Path]:
    return [path for path in folder.iterdir() if path.suffix == ".part"]


@contextmanager
def half_written(path: Path) -> Iterator["subprocess.Popen[bytes]"]:
    """A process that has written a part and not put it in place; it ends by SIGKILL."""
    with subprocess.Popen(
        [sys.executable, "-c", HALF, str(path)], cwd=ROOT, stdout=subprocess.PIPE
    ) as writer:
        try:
            assert writer.stdout is not None
            assert writer.stdout.readline() == b"ready\n"
            yield writer
        finally:
            writer.kill()


def sweep_by_a_write(folder: Path) -> None:
    atomic.write(folder / "other", b"whole")


@pytest.mark.parametrize("sweep", [sweep_by_a_write, atomic.check_writable, atomic.sweep_parts])
def test_a_part_is_swept_once_nobody_writes_it(
    tmp_path: Path, sweep: Callable[[Path], None]
) -> None:
    path = tmp_path / "a[1].onnx"
    with half_written(path):
        (part,) = parts_in(tmp_path)
        os.utime(part, (0, 0))
        sweep(tmp_path)
        assert part.exists(), "a living process is writing it, however long it takes"
    assert part.exists()
    sweep(tmp_path)
    assert not part.exists() and not path.exists()


def test_parts_of_other_programs_stay(tmp_path: Path) -> None:
    names = ("film.mp4.part", ".film.mp4.part", ".film.x8zt51qw.part", ".film.hifi-short.part")
    for name in names:
        (tmp_path / name).write_bytes(b"")
    sweep_by_a_write(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {*names, "other"}


def test_what_a_sweep_took_before_it_was_owned_is_made_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between the making and the lock another process may sweep."""
    taken: list[Path] = []
    own = owned.own

    def late(path: Path) -> int | None:
        if not taken:
            owned.sweep([path])
            taken.append(path)
            assert not path.exists()
        return own(path)

    monkeypatch.setattr(owned, "own", late)
    atomic.write(tmp_path / "file", b"whole")
    assert taken and (tmp_path / "file").read_bytes() == b"whole"
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_parts_of_the_cache_lie_where_a_sweep_finds_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(store.FOLDER_VARIABLE, str(tmp_path))
    path = store.place("engine", "key") / "mpd-11.engine"
    with half_written(path):
        (part,) = parts_in(tmp_path / "engine" / ".parts")
        scratch.sweep()
        assert part.exists()
        assert [entry.files for entry in store.entries()] == [()]
    scratch.sweep()
    assert not part.exists()
    atomic.write(path, b"whole")
    assert path.read_bytes() == b"whole" and not parts_in(part.parent)


def test_a_cache_that_cannot_be_written_says_what_to_set(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "engine").write_bytes(b"")
    monkeypatch.setenv(store.FOLDER_VARIABLE, str(tmp_path))
    with pytest.raises(HifiError, match="set HIFI_EXPORT_CACHE to another folder"):
        atomic.write(store.place("engine", "key") / "file", b"")
