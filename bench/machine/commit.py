"""Which version of the code ran."""

import subprocess
from pathlib import Path

PATIENCE_S = 10


def commit_of(file: Path) -> str:
    """Commit of the repository that holds a file, "-dirty" after it if tracked files were changed.

    "" where git does not know the file: an installed copy within somebody else's repository has not
    that repository's commit.
    """
    if not _git(file, "ls-files", "--error-unmatch", "--", file.name):
        return ""
    return _git(file, "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*")


def _git(file: Path, *arguments: str) -> str:
    """What git prints, "" where it fails or is not there."""
    command = ["git", "-C", str(file.parent), *arguments]
    try:
        ran = subprocess.run(  # noqa: S603
            command, capture_output=True, text=True, check=False, timeout=PATIENCE_S
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return ran.stdout.strip() if ran.returncode == 0 else ""
