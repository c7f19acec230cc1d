"""The tests that need a GPU, told in a line."""

import re
from pathlib import Path

from bench.results.in_time import ROOT, run_python

MARK = re.compile(r"^\s*(@pytest|pytestmark = pytest)\.mark\.gpu", re.MULTILINE)
TROUBLE = ("FAILED", "ERROR")


def run_gpu_tests(seconds: float, root: Path = ROOT) -> str:
    """What pytest says of them at its end, and of each that failed.

    Args:
        seconds: that all of them may take.
        root: of the tree.
    """
    files = files_with_gpu_tests(root)
    if not files:
        return "tests that need a GPU: none is here"
    ran = run_python([*pytest_command(), *map(str, files)], seconds)
    last = ran.lines[-1].strip("= ") if ran.lines else "it said nothing"
    told = last if ran.finished else f"{ran.how}; {last}"
    troubles = [line for line in ran.lines if line.startswith(TROUBLE)]
    return "; ".join([f"tests that need a GPU: {told}", *troubles])


def files_with_gpu_tests(root: Path) -> tuple[Path, ...]:
    """Other files may import what a machine with a GPU lacks."""
    files = sorted((root / "tests").glob("test_*.py"))
    return tuple(path for path in files if MARK.search(path.read_text()))


def pytest_command() -> list[str]:
    """Free of the tree's strictness: of plugins that are not there, of a newer torch's warnings."""
    settings = ["-c", str(ROOT / "pyproject.toml"), "-o", "addopts=--import-mode=importlib"]
    chosen = ["-W", "default", "-m", "gpu", "-q", "-rfE", "--continue-on-collection-errors"]
    return ["-m", "pytest", *settings, *chosen, "-p", "no:cacheprovider"]
