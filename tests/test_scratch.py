"""Temporary folders go with their process, or with the next command after a kill."""

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from cli import bench_main, export_main
from export import owned, scratch, store
from fakes import run_main
from hifigan_ref.errors import HifiError

ROOT = Path(__file__).parents[1]


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder for temporary files that is this test's alone, and of processes that it starts."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    monkeypatch.setenv("TMPDIR", str(folder))
    monkeypatch.setenv(store.FOLDER_VARIABLE, str(tmp_path / "cache"))
    return folder


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


MAKER = """
import sys, time
from export import scratch
with scratch.folder() as folder:
    (folder / "deep").mkdir()
    (folder / "deep" / "exact.npz").write_bytes(b"gigabytes")
    print(folder, flush=True)
    sys.stdin.read()
"""


@contextmanager
def maker() -> Iterator[tuple["subprocess.Popen[str]", Path]]:
    """A process that works in a temporary folder until its standard input is closed."""
    with subprocess.Popen(
        [sys.executable, "-c", MAKER], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        text=True,
    ) as process:  # fmt: skip
        try:
            assert process.stdout is not None
            yield process, Path(process.stdout.readline().strip())
        finally:
            process.kill()


def test_a_folder_is_removed_in_the_end(place: Path) -> None:
    with scratch.folder() as folder:
        assert folder.parent == place
        (folder / "file").write_bytes(b"x")
        scratch.sweep()
        assert (folder / "file").exists(), "it is this process's own"
    assert not names(place)
    made = scratch.make()
    scratch.remove(made)
    scratch.remove(made)
    assert not names(place)


def test_a_folder_is_removed_when_what_used_it_fails(place: Path) -> None:
    with pytest.raises(KeyboardInterrupt), scratch.folder():
        raise KeyboardInterrupt
    assert not names(place)


@pytest.mark.parametrize(
    ("main", "arguments"),
    [(export_main, ("cache", "list")), (export_main, ("--help",)), (bench_main, ("--version",))],
)
def test_any_command_sweeps_what_a_killed_process_left(
    main: object, arguments: tuple[str, ...]
) -> None:
    with maker() as (living, kept), maker() as (killed, left):
        killed.send_signal(signal.SIGKILL)
        killed.wait()
        assert (left / "deep" / "exact.npz").exists()
        assert run_main(main, *arguments).code == 0  # type: ignore[arg-type]
        assert not left.exists()
        assert (kept / "deep" / "exact.npz").exists(), "its process lives"
        assert living.poll() is None


def test_a_process_that_ends_by_itself_leaves_nothing(place: Path) -> None:
    with maker() as (process, folder):
        assert process.stdin is not None
        process.stdin.close()
        assert process.wait(60) == 0
        assert not folder.exists()
    assert not names(place)


def test_only_folders_of_this_project_and_this_user_are_swept(
    place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    others = ("hifi-scratch-of-mine", "hifi-export-main", "hifi-scratch-", "tmpabcdefgh")
    for name in (*others, "hifi-scratch-abcdefgh"):
        (place / name).mkdir()
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "file").write_bytes(b"mine")
    (place / "hifi-scratch-linklink").symlink_to(outside)
    with monkeypatch.context() as patch:
        patch.setattr(os, "geteuid", lambda: 12345)
        scratch.sweep()
    assert (place / "hifi-scratch-abcdefgh").exists(), "another user's"
    scratch.sweep()
    assert names(place) >= set(others)
    assert not (place / "hifi-scratch-abcdefgh").exists()
    assert (outside / "file").read_bytes() == b"mine"


def test_what_a_sweep_took_before_it_was_owned_is_made_anew(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = owned.own
    taken: list[Path] = []

    def late(path: Path) -> int | None:
        if not taken:
            taken.append(path)
            scratch.sweep()
            assert not path.exists()
        return own(path)

    monkeypatch.setattr(owned, "own", late)
    with scratch.folder() as folder:
        assert taken and folder != taken[0]
        assert names(place) == {folder.name}


def test_what_a_sweep_took_before_it_was_locked_is_made_anew(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The folder is open already, but its name is gone."""
    really = owned._open
    taken: list[Path] = []

    def late(path: Path) -> int:
        descriptor = really(path)
        if not taken:
            taken.append(path)
            path.rmdir()
        return descriptor

    monkeypatch.setattr(owned, "_open", late)
    with scratch.folder() as folder:
        assert taken and folder != taken[0]
        assert names(place) == {folder.name}


def test_two_that_sweep_and_many_that_make_do_not_meet() -> None:
    """No folder is lost to its owner, whatever sweeps at the same time."""
    script = """
import sys
from export import scratch
for _ in range(300):
    with scratch.folder() as folder:
        (folder / "file").write_bytes(b"x")
        if sys.argv[1] == "sweep":
            scratch.sweep()
        assert (folder / "file").exists()
"""
    tasks = [
        subprocess.Popen([sys.executable, "-c", script, kind], cwd=ROOT)
        for kind in ("sweep", "sweep", "make", "make")
    ]
    assert [task.wait(120) for task in tasks] == [0] * 4


@pytest.mark.parametrize("error", [OSError(38, "not implemented"), PermissionError(13, "denied")])
def test_without_locks_nothing_is_owned_and_nothing_swept(
    place: Path, monkeypatch: pytest.MonkeyPatch, error: OSError
) -> None:
    def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr("fcntl.flock", fail)
    with scratch.folder():
        scratch.sweep()
        assert len(names(place)) == 1
    assert not names(place)


def test_a_system_without_such_locks_at_all(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(owned, "fcntl", None)
    with scratch.folder():
        scratch.sweep()
        assert len(names(place)) == 1
    assert not names(place)


@pytest.mark.parametrize("kind", ["missing", "a file"])
def test_no_temporary_folder_is_an_error_in_one_line_and_no_sweep(
    place: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    there = place / "file"
    if kind == "a file":
        there.write_bytes(b"")
    monkeypatch.setattr(tempfile, "tempdir", str(there))
    scratch.sweep()
    with pytest.raises(HifiError, match="cannot write temporary files: .*: set TMPDIR") as told:
        scratch.make()
    assert "\n" not in str(told.value)


def test_a_system_that_has_none_does_not_stop_a_sweep(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> str:
        raise FileNotFoundError(2, "No usable temporary directory found in ['/tmp']")

    monkeypatch.setattr(tempfile, "gettempdir", fail)
    monkeypatch.delenv(store.FOLDER_VARIABLE)
    monkeypatch.delenv("HOME", raising=False)
    scratch.sweep()
    with pytest.raises(HifiError, match="No usable temporary directory"):
        scratch.make()
