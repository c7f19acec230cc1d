"""One measures at a time on a machine."""

import multiprocessing
import time
from pathlib import Path

import pytest

from bench.cell.turn import turn
from export import store
from hifigan_ref.errors import HifiError


def _work(log: Path) -> None:
    for _ in range(3):
        with turn():
            with log.open("a") as file:
                file.write("in\n")
            time.sleep(0.05)
            with log.open("a") as file:
                file.write("out\n")


def test_two_sweeps_take_turns(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(store.FOLDER_VARIABLE, str(tmp_path / "cache"))
    log = tmp_path / "log"
    both = [multiprocessing.Process(target=_work, args=(log,)) for _ in range(2)]
    for process in both:
        process.start()
    for process in both:
        process.join(60)
        assert process.exitcode == 0
    assert log.read_text().split() == ["in", "out"] * 6


def test_a_cache_that_cannot_be_written_says_what_to_set(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv(store.FOLDER_VARIABLE, str(tmp_path / "file" / "below"))
    told = "cannot write the cache .*: set HIFI_EXPORT_CACHE"
    with pytest.raises(HifiError, match=told), turn():
        pass
