"""Where the make targets put results: by the code that decides which forms are taken."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from export.cpu import LIMIT, OLDER_NAME, multiplies_bf16, multiplies_tiles

ROOT = Path(__file__).parent.parent

pytestmark = pytest.mark.skipif(shutil.which("make") is None, reason="no make")


def dry(*given: str) -> str:
    """What ``make precision-cpu`` would run, by this Python."""
    command = ("make", "--dry-run", "precision-cpu", f"BIN={Path(sys.executable).parent}", *given)
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout


@pytest.mark.parametrize("told", ["ALL", "AVX512_CORE_BF16", "AVX2", "AVX2_VNNI_2"])
@pytest.mark.parametrize("name", [LIMIT, OLDER_NAME, "argument"])
def test_results_lie_where_the_cpu_belongs(
    name: str, told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(LIMIT, raising=False)
    monkeypatch.delenv(OLDER_NAME, raising=False)
    if name == "argument":
        page = dry(f"{LIMIT}={told}")
        name = LIMIT
    else:
        monkeypatch.setenv(name, told)
        page = dry()
    monkeypatch.setenv(name, told)
    assert ("--out docs/results/precision-amx " in page) == multiplies_tiles()
    assert ("tune --backend openvino:precision=bf16 " in page) == multiplies_bf16()
    assert "--out docs/results/precision" in page
