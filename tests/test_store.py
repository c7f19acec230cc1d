"""What is kept: one maker at a time, everything listed, nothing removed under somebody's hands."""

import multiprocessing
import os
import pwd
import time
from pathlib import Path

import pytest

from cli import export_main
from export import atomic, store
from fakes import run_main
from hifigan_ref.errors import HifiError


@pytest.fixture(autouse=True)
def own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    place = tmp_path / "kept"
    monkeypatch.setenv(store.FOLDER_VARIABLE, str(place))
    return place


def test_the_folder_is_the_users_choice(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv(store.FOLDER_VARIABLE, str(tmp_path / "mine"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert store.folder() == tmp_path / "mine"
    monkeypatch.delenv(store.FOLDER_VARIABLE)
    assert store.folder() == tmp_path / "xdg" / "hifi-export"
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert store.folder() == tmp_path / "home" / ".cache" / "hifi-export"
    monkeypatch.setenv(store.FOLDER_VARIABLE, "")
    assert store.folder() == tmp_path / "home" / ".cache" / "hifi-export"


def test_a_relative_folder_of_caches_is_none(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv(store.FOLDER_VARIABLE)
    monkeypatch.setenv("HOME", str(tmp_path))
    for relative in ("", "cache", "./cache", "~/.cache"):
        monkeypatch.setenv("XDG_CACHE_HOME", relative)
        assert store.folder() == tmp_path / ".cache" / "hifi-export"


@pytest.fixture
def homeless(monkeypatch: pytest.MonkeyPatch) -> None:
    """An arbitrary user of a container: no HOME, no entry in the password file."""

    def unknown(uid: int) -> None:
        raise KeyError(f"getpwuid(): uid not found: {uid}")

    for name in (store.FOLDER_VARIABLE, "XDG_CACHE_HOME", "HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(pwd, "getpwuid", unknown)


@pytest.mark.usefixtures("homeless")
def test_a_user_without_a_home_is_told_what_to_set(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for command in (("cache", "list"), ("cache", "clear")):
        ran = run_main(export_main, *command)
        assert ran.code == 1 and not ran.out
        assert ran.err.startswith("error: no folder for the cache: ")
        assert ran.err.endswith("set HIFI_EXPORT_CACHE to a folder\n") and ran.err.count("\n") == 1
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert store.folder() == tmp_path / "hifi-export"


@pytest.mark.usefixtures("homeless")
def test_a_user_without_a_home_writes_files_without_a_cache(tmp_path: Path) -> None:
    atomic.write(tmp_path / "file", b"x")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_a_key_depends_on_every_part_and_on_the_code(monkeypatch: pytest.MonkeyPatch) -> None:
    keys = {store.key_of(), store.key_of(1), store.key_of("1"), store.key_of(1, 2)}
    assert store.key_of(1, 2) in keys
    monkeypatch.setattr(store, "source_digest", lambda *_: "other")
    keys.add(store.key_of(1, 2))
    assert len(keys) == 5


def test_a_key_separates_its_parts() -> None:
    assert store.key_of("a", "b") != store.key_of("a b") != store.key_of("a\nb")


def test_what_is_kept_is_listed_the_oldest_first() -> None:
    for age, kind in ((30, "engine"), (20, "onnx"), (10, "engine")):
        with store.claim(kind, f"{kind}-{age}") as place:
            (place / "a").write_bytes(b"12")
            (place / "b").write_bytes(b"3")
            for name in "ab":
                os.utime(place / name, (1000 - age, 1000 - age))
    found = store.entries()
    assert [entry.key for entry in found] == ["engine-30", "onnx-20", "engine-10"]
    assert [entry.kind for entry in found] == ["engine", "onnx", "engine"]
    assert {entry.bytes for entry in found} == {3}
    assert {entry.files for entry in found} == {("a", "b")}


def test_an_empty_cache_lists_nothing_and_makes_nothing(own_folder: Path) -> None:
    assert store.entries() == []
    assert not own_folder.exists()


def test_what_is_removed_is_gone() -> None:
    with store.claim("onnx", "k") as place:
        (place / "a").write_bytes(b"1")
    (entry,) = store.entries()
    assert store.remove(entry)
    assert store.entries() == [] and not place.exists()


def _hold(key: str, log: Path, seconds: float) -> None:
    with store.claim("engine", key):
        with log.open("a") as file:
            file.write("in\n")
        time.sleep(seconds)
        with log.open("a") as file:
            file.write("out\n")


def test_two_processes_take_turns(tmp_path: Path) -> None:
    log = tmp_path / "log"
    both = [multiprocessing.Process(target=_hold, args=("k", log, 0.3)) for _ in range(2)]
    for process in both:
        process.start()
    for process in both:
        process.join(60)
        assert process.exitcode == 0
    assert log.read_text().split() == ["in", "out", "in", "out"]


def test_what_another_process_holds_is_not_removed(tmp_path: Path) -> None:
    log = tmp_path / "log"
    holder = multiprocessing.Process(target=_hold, args=("k", log, 60))
    holder.start()
    try:
        while not (log.exists() and log.read_text()):
            time.sleep(0.01)
        (entry,) = store.entries()
        assert not store.remove(entry)
        assert store.entries() == [entry]
    finally:
        holder.kill()
        holder.join()
    assert store.remove(entry), "a killed process holds nothing"


def test_a_cache_that_cannot_be_written_says_what_to_set(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv(store.FOLDER_VARIABLE, str(tmp_path / "file" / "below"))
    told = "cannot write the cache .*: set HIFI_EXPORT_CACHE to another folder"
    with pytest.raises(HifiError, match=told), store.claim("onnx", "k"):
        pass
