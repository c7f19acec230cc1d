"""Which version ran: that of the repository that holds the code, and of no other."""

import subprocess
from pathlib import Path

import pytest

from bench.machine.commit import commit_of


def git(folder: Path, *arguments: str) -> str:
    own = ["-c", "user.name=A", "-c", "user.email=a@b", "-c", "init.defaultBranch=main"]
    command = ["git", "-C", str(folder), *own, *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """The only file of a repository."""
    path = tmp_path / "code.py"
    path.write_text("one")
    git(tmp_path, "init")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-m", "first")
    return path


def test_it_is_the_head(file: Path) -> None:
    git(file.parent, "tag", "-am", "a tag", "v1")
    assert commit_of(file) == git(file.parent, "rev-parse", "HEAD")
    assert len(commit_of(file)) == 40


def test_a_change_is_told(file: Path) -> None:
    file.write_text("two")
    assert commit_of(file) == git(file.parent, "rev-parse", "HEAD") + "-dirty"


def test_a_report_beside_the_code_is_no_change(file: Path) -> None:
    file.with_name("report.json").write_text("{}")
    assert not commit_of(file).endswith("-dirty")


def test_a_copy_in_somebody_elses_repository_has_no_commit(file: Path) -> None:
    copy = file.parent / "site-packages" / "code.py"
    copy.parent.mkdir()
    copy.write_text("one")
    assert commit_of(copy) == ""


def test_outside_of_any_repository(tmp_path: Path) -> None:
    assert commit_of(tmp_path / "code.py") == ""


def test_without_git(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    assert commit_of(file) == ""


def test_a_git_that_hangs(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def hang(*_: object, **__: object) -> None:
        raise subprocess.TimeoutExpired("git", 10)

    monkeypatch.setattr(subprocess, "run", hang)
    assert commit_of(file) == ""
