"""The tests that need a GPU, on machines that lack what other tests import."""

from pathlib import Path

import pytest

from bench.results import gpu_tests
from bench.results.gpu_tests import files_with_gpu_tests, pytest_command, run_gpu_tests
from bench.results.in_time import Ended, run_python

ROOT = Path(__file__).parents[1]
MARKED = "import pytest\n\n@pytest.mark.gpu\ndef test_it() -> None:\n    {}\n"


def tree(folder: Path, **files: str) -> Path:
    (folder / "tests").mkdir()
    for name, text in files.items():
        (folder / "tests" / f"test_{name}.py").write_text(text)
    return folder


def answering(monkeypatch: pytest.MonkeyPatch, ended: Ended) -> list[list[str]]:
    asked: list[list[str]] = []

    def run(arguments: list[str], seconds: float) -> Ended:
        assert seconds == ended.seconds
        asked.append(arguments)
        return ended

    monkeypatch.setattr(gpu_tests, "run_python", run)
    return asked


def test_only_files_with_such_tests_are_named() -> None:
    names = {path.name for path in files_with_gpu_tests(ROOT)}
    assert {"test_backend_torch_cuda.py", "test_backend_ort_cuda.py"} <= names
    assert not names & {"test_backend_openvino.py", "test_layout.py", Path(__file__).name}


def test_a_file_that_cannot_be_imported_a_warning_and_a_failure_do_not_end_it(
    tmp_path: Path,
) -> None:
    root = tree(
        tmp_path,
        good=MARKED.format("import warnings; warnings.warn('new')"),
        bad=MARKED.format("assert False, 'wrong sum'"),
        lacking="import not_there\n" + MARKED.format("pass"),
        other="import not_there_either\n",
    )
    told = run_gpu_tests(100, root)
    assert told.startswith("tests that need a GPU: 1 failed, 1 passed, 1 warning, 1 error in")
    assert "FAILED" in told and "wrong sum" in told
    assert told.count("; ERROR") == 1  # the one that has no such test is not asked


def test_without_its_plugins_pytest_takes_the_trees_settings(tmp_path: Path) -> None:
    root = tree(tmp_path, good=MARKED.format("pass"))
    asked = [*pytest_command(), "-p", "no:timeout", str(root / "tests")]
    ended = run_python(asked, 100)
    assert ended.code == 0 and "1 passed" in ended.lines[-1], ended


def test_time_that_is_over_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    root = tree(tmp_path, good=MARKED.format("pass"))
    asked = answering(monkeypatch, Ended(("..F.",), None, 7))
    assert run_gpu_tests(7, root) == "tests that need a GPU: ended after 7 s; ..F."
    assert asked[0][-1] == str(root / "tests" / "test_good.py")
    answering(monkeypatch, Ended((), -11, 7))
    told = "tests that need a GPU: ended by SIGSEGV; it said nothing"
    assert run_gpu_tests(7, root) == told


def test_a_tree_without_tests_says_so(tmp_path: Path) -> None:
    assert run_gpu_tests(7, tmp_path) == "tests that need a GPU: none is here"
