"""Installed, not imported: the scripts of a wheel, in an environment that has no checkout."""

import json
import os
import shutil
import subprocess
import sys
import sysconfig
import venv
import zipfile
from dataclasses import dataclass
from pathlib import Path

import pytest

import cli
from hifigan_ref.version import VERSION

ROOT = Path(cli.__file__).parent
LEFT_OUT = shutil.ignore_patterns(
    ".*", "build", "dist", "*.egg-info", "__pycache__", "artifacts", "reports"
)


@dataclass(frozen=True)
class Place:
    """An environment with the wheel in it, and a folder outside the checkout.

    Attributes:
        wheel: the file.
        scripts: folder of the environment's programs.
        folder: where commands run.
    """

    wheel: Path
    scripts: Path
    folder: Path

    def run(self, program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [self.scripts / program, *arguments],
            cwd=self.folder,
            env=environment(HIFI_EXPORT_CACHE=str(self.folder / "cache")),
            capture_output=True,
            check=False,
            text=True,
        )


def environment(**more: str) -> dict[str, str]:
    """This process's, without what would lead Python back to the checkout."""
    return {k: v for k, v in os.environ.items() if not k.startswith("PYTHON")} | more


def call(*command: str | Path, cwd: Path) -> None:
    ran = subprocess.run(
        command, cwd=cwd, env=environment(), capture_output=True, check=False, text=True
    )
    assert ran.returncode == 0, f"{ran.stdout}\n{ran.stderr}"


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Place:
    folder = tmp_path_factory.mktemp("installed")
    source = folder / "source"
    shutil.copytree(ROOT, source, ignore=LEFT_OUT)  # building leaves traces
    build = (sys.executable, "-m", "build", "--wheel", "--no-isolation")
    call(*build, "--outdir", folder, source, cwd=folder)
    shutil.rmtree(source)
    (wheel,) = folder.glob("*.whl")
    home = folder / "venv"
    venv.create(home, symlinks=os.name != "nt")
    python = home / ("Scripts" if os.name == "nt" else "bin") / "python"
    packages = site_packages(python, folder)
    # A folder on the path of a .pth file has its own .pth files ignored: the dependencies of the
    # tests can be imported, an editable checkout cannot.
    paths = dict.fromkeys(sysconfig.get_path(name) for name in ("purelib", "platlib"))
    (packages / "dependencies.pth").write_text("\n".join(paths))
    nothing = "import importlib.util as u; assert not any(map(u.find_spec, {'cli', 'bench'}))"
    call(python, "-c", nothing, cwd=folder)
    pip = (sys.executable, "-m", "pip", "--python", python, "install", "--no-deps", "--no-index")
    call(*pip, wheel, cwd=folder)
    workplace = folder / "elsewhere"
    workplace.mkdir()
    return Place(wheel, python.parent, workplace)


def site_packages(python: Path, folder: Path) -> Path:
    code = "import sysconfig; print(sysconfig.get_path('purelib'))"
    command = (python, "-c", code)
    told = subprocess.run(
        command, cwd=folder, env=environment(), stdout=subprocess.PIPE, check=True
    )
    return Path(told.stdout.decode().strip())


def test_the_wheel_holds_every_module_and_the_clip(place: Place) -> None:
    with zipfile.ZipFile(place.wheel) as archive:
        held = {name for name in archive.namelist() if ".dist-info/" not in name}
        clip = archive.read("hifigan_ref/data/speech_22k.wav")
    assert clip == (ROOT / "hifigan_ref/data/speech_22k.wav").read_bytes()
    sources = {
        str(path.relative_to(ROOT))
        for name in ("hifigan_ref", "export", "bench")
        for path in (ROOT / name).rglob("*.py")
        if path.parent != ROOT / "bench" / "results"  # which writes the documentation's tables
    }
    folder = "bench/render/html_template"
    page = {f"{folder}/{name}" for name in ("charts.js", "page.html", "style.css")}
    data = {"hifigan_ref/data/speech_22k.wav", "hifigan_ref/py.typed"}
    folder = "export/lowering/defaults"
    plans = {str(path.relative_to(ROOT)) for path in (ROOT / folder).glob("*.json")}
    assert plans and held == {*sources, *page, *data, *plans, "cli.py"}


def test_the_wheel_says_what_it_is(place: Place) -> None:
    assert place.wheel.name == f"hifi_export-{VERSION}-py3-none-any.whl"
    with zipfile.ZipFile(place.wheel) as archive:
        (name,) = [n for n in archive.namelist() if n.endswith(".dist-info/METADATA")]
        metadata = archive.read(name).decode()
        assert any(n.endswith("/LICENSE") for n in archive.namelist())
    for line in ("Name: hifi-export", "License-Expression: MIT", "Requires-Python: >=3.11"):
        assert line in metadata
    assert "Requires-Dist: torch>=2.11" in metadata


def test_the_code_that_runs_is_the_installed_one(place: Place) -> None:
    names = ("cli", "bench", "export", "hifigan_ref")
    code = (
        f"import {', '.join(names)}; print({', '.join(f'{n}.__file__' for n in names)}, sep='\\n')"
    )
    ran = place.run("python", "-c", code)
    assert ran.returncode == 0, ran.stderr
    for path in ran.stdout.split():
        assert Path(path).is_relative_to(place.scripts.parent)


@pytest.mark.parametrize("program", ["hifi-export", "hifi-bench"])
def test_both_programs_answer(place: Place, program: str) -> None:
    ran = place.run(program, "--help")
    assert (ran.returncode, ran.stderr) == (0, "")
    assert f"Usage: {program}" in ran.stdout


def test_a_graph_is_exported(place: Place) -> None:
    ran = place.run("hifi-export", "onnx", "--period", "2", "--out", "out", "--json")
    assert (ran.returncode, ran.stderr) == (0, "")
    assert json.loads(ran.stdout)["variant"] == "mpd-2"
    out = place.folder / "out"
    assert {path.name for path in out.iterdir()} == {"mpd-2.onnx", "mpd-2.json"}
    content = (out / "mpd-2.onnx").read_bytes()
    assert str(place.folder).encode() not in content and str(ROOT).encode() not in content


def test_an_error_is_one_line(place: Place) -> None:
    ran = place.run("hifi-export", "onnx", "--period", "4", "--out", "none")
    assert (ran.returncode, ran.stdout) == (1, "")
    assert ran.stderr == "error: period 4 is not in mpd: choose from 2, 3, 5, 7, 11\n"
    assert not (place.folder / "none").exists()


def test_backends_are_found(place: Place) -> None:
    ran = place.run("hifi-bench", "list")
    assert ran.returncode == 0, ran.stderr
    assert "ort-cpu" in ran.stdout and "torch" in ran.stdout
