"""The project's own shape: which way imports point, what files are called, what they may say."""

import ast
import graphlib
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from fnmatch import fnmatch
from importlib.metadata import packages_distributions
from pathlib import Path
from typing import Any

import pytest

import cli

ROOT = Path(cli.__file__).parent
ORDER = ("hifigan_ref", "export", "bench", "cli")  # each may import those before it
DISTRIBUTION = "hifi-export"
MOST_LINES = 400
SETTINGS: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())
SETUPTOOLS: dict[str, Any] = SETTINGS["tool"]["setuptools"]
RUFF: dict[str, Any] = SETTINGS["tool"]["ruff"]["lint"]


def _files() -> list[Path]:
    """Files of the repository, those not yet added included, relative to its root."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, check=True, text=True).stdout
    return sorted(Path(name) for name in listed.split("\0") if name and (ROOT / name).is_file())


FILES = _files()
PYTHON = [path for path in FILES if path.suffix == ".py"]
PRODUCT = [path for path in PYTHON if path.parts[0].removesuffix(".py") in ORDER]
INSTALLED = packages_distributions()

every_file = pytest.mark.parametrize("path", FILES, ids=str)
every_module = pytest.mark.parametrize("path", PYTHON, ids=str)
every_product = pytest.mark.parametrize("path", PRODUCT, ids=str)


def parse(path: Path) -> ast.Module:
    return ast.parse((ROOT / path).read_text())


def imported(tree: ast.AST) -> set[str]:
    """Top-level names of everything that is imported below a node, wherever it stands."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports name the file from the root"
            found.add((node.module or "").partition(".")[0])
    return found


def imported_at_once(body: list[ast.stmt]) -> set[str]:
    """Top-level names of what is imported as soon as the module is."""
    found = set()
    for node in body:
        if isinstance(node, ast.Import | ast.ImportFrom):
            found |= imported(node)
        elif isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            continue
        elif not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            for field in ("body", "orelse", "finalbody", "handlers"):
                found |= imported_at_once(getattr(node, field, []))
    return found


def may_import_heavy(path: Path) -> bool:
    """Whether pyproject.toml lets a file import heavy modules at module level."""
    rules: dict[str, list[str]] = RUFF["per-file-ignores"]
    patterns = [each for key, codes in rules.items() if "TID253" in codes for each in spread(key)]
    return any(fnmatch(str(path), pattern) for pattern in patterns)


def spread(pattern: str) -> Iterator[str]:
    """``a/{b,c}.py`` -> ``a/b.py``, ``a/c.py``."""
    braces = re.search(r"\{([^}]*)\}", pattern)
    if braces is None:
        yield pattern
    else:
        for choice in braces[1].split(","):
            yield pattern[: braces.start()] + choice + pattern[braces.end() :]


def test_the_files_are_found() -> None:
    names = set(map(str, PRODUCT))
    assert {
        "cli.py",
        "bench/timing/measure.py",
        "export/pipeline.py",
        "hifigan_ref/mpd.py",
    } <= names


@every_product
def test_imports_point_one_way(path: Path) -> None:
    own = path.parts[0].removesuffix(".py")
    allowed = set(ORDER[: ORDER.index(own) + 1])
    ours = imported(parse(path)) & {*ORDER, "tests", "golden", "conftest"}
    assert ours <= allowed, f"{path} imports {sorted(ours - allowed)}"


def room(module: str) -> str:
    """A folder of a package, or a file that lies in none."""
    package, name, *_ = f"{module}.".split(".")
    return f"{package}/{name}" if (ROOT / package / name).is_dir() else f"{package}/{name}.py"


def rooms_of(path: Path) -> tuple[str, set[str]]:
    """The room of a file, and those that it imports from, inside functions too."""
    own = room(".".join(path.with_suffix("").parts))
    found: set[str] = set()
    for node in ast.walk(parse(path)):
        if isinstance(node, ast.Import):
            found |= {room(alias.name) for alias in node.names if "." in alias.name}
        elif isinstance(node, ast.ImportFrom) and node.module is not None:
            inside = [f"{node.module}.{alias.name}" for alias in node.names]
            found |= {room(each) for each in ([node.module] if "." in node.module else inside)}
    return own, {each for each in found if each.split("/")[0] in ORDER} - {own}


def test_no_circle_between_rooms() -> None:
    leads_to: dict[str, set[str]] = {}
    for path in PRODUCT:
        if len(path.parts) > 1 and path.name != "__init__.py":
            own, others = rooms_of(path)
            leads_to.setdefault(own, set()).update(others)
    assert len(leads_to) > 20
    graphlib.TopologicalSorter(leads_to).prepare()  # raises CycleError with the circle


WORDS_OF_NETWORKS = frozenset({"mpd", "msd", "fmap", "y_hat", "samples", "scores"})
MAY_SAY = {
    "hifigan_ref/network.py": "names the axis",
    "hifigan_ref/views.py": "names the view",
    "hifigan_ref/variant.py": "what is meant where none is named",
    "export/selection.py": "--period, --scale, --model",
    "export/options.py": "--samples",
    "bench/options.py": "--samples",
    "export/engine/options.py": "--min-samples and its kin",
    "export/engine/file.py": "records of schema 1",
    "export/manifest_schema_1.py": "records of schema 1",
    "bench/schema_1.py": "records of schema 1",
}


@pytest.mark.parametrize(
    "path",
    [p for p in PRODUCT if p.parts[1:2] not in {("networks",), ("layouts",), ("results",)}],
    ids=str,
)
def test_words_of_networks_stay_with_them(path: Path) -> None:
    if str(path) not in MAY_SAY:
        told = {
            node.value
            for node in ast.walk(parse(path))
            if isinstance(node, ast.Constant) and isinstance(node.value, str)
        }
        assert not told & WORDS_OF_NETWORKS


def test_words_are_allowed_where_they_are_said() -> None:
    for path in MAY_SAY:
        told = {n.value for n in ast.walk(parse(Path(path))) if isinstance(n, ast.Constant)}
        assert told & WORDS_OF_NETWORKS, f"{path} may go from the list"


@every_product
def test_heavy_modules_are_imported_where_they_are_used(path: Path) -> None:
    banned = set(RUFF["flake8-tidy-imports"]["banned-module-level-imports"])
    assert {"torch", "onnx", "onnxruntime"} <= banned
    if not may_import_heavy(path):
        assert not imported_at_once(parse(path).body) & banned


@pytest.mark.parametrize(
    "path", [p for p in PRODUCT if p.parts[:2] == ("bench", "backends")], ids=str
)
def test_a_backend_is_found_without_its_runtime(path: Path) -> None:
    """All backends are imported to list them, also those whose runtime is not installed."""
    if "BACKENDS" in (ROOT / path).read_text():
        assert not may_import_heavy(path)


@every_product
def test_temporary_folders_are_made_where_they_are_swept(path: Path) -> None:
    if path != Path("export/scratch.py"):
        content = (ROOT / path).read_text()
        assert "TemporaryDirectory" not in content and "mkdtemp" not in content


@every_product
def test_fakes_stay_out_of_the_product(path: Path) -> None:
    assert "import fakes" not in (ROOT / path).read_text()
    assert "from fakes" not in (ROOT / path).read_text()


@every_module
def test_no_module_hides_another(path: Path) -> None:
    """Neither of the standard library nor of an installed distribution."""
    name = path.stem if path.name != "__init__.py" else path.parent.name
    assert name not in sys.stdlib_module_names
    installed = set(INSTALLED.get(name, ()))
    assert installed <= {DISTRIBUTION}, f"{path} is named like a module of {installed}"


def test_only_the_known_names_are_top_level() -> None:
    top = {path.parts[0].removesuffix(".py") for path in PYTHON}
    assert top == {*ORDER, "examples", "tests"}


def test_tests_are_no_package() -> None:
    assert Path("tests/__init__.py") not in FILES


def test_every_package_that_users_need_is_listed() -> None:
    packages = {".".join(path.parent.parts) for path in PRODUCT if path.name == "__init__.py"}
    folders = {".".join(path.parent.parts) for path in PRODUCT if len(path.parts) > 1}
    assert packages == folders, "every folder has an __init__.py"
    assert sorted(SETUPTOOLS["packages"]) == sorted(packages - {"bench.results"})
    modules = {path.stem for path in PRODUCT if len(path.parts) == 1}
    assert set(SETUPTOOLS["py-modules"]) == modules


def test_data_is_listed() -> None:
    """Whatever lies in a package and is no code must be named to be installed."""
    listed: dict[str, list[str]] = SETUPTOOLS["package-data"]
    for path in FILES:
        if path.parts[0] in ORDER and path.suffix != ".py":
            patterns = listed.get(path.parts[0], [])
            inside = str(path.relative_to(path.parts[0]))
            assert any(fnmatch(inside, pattern) for pattern in patterns), path


# Written in pieces, so that this file is clean too.
PLACES = tuple("".join(pieces) for pieces in (("/wo", "rk/"), ("/ro", "ot/")))
REGISTRIES = tuple("".join(pieces) for pieces in (("pypi", ".org"), ("files.python", "hosted")))


@every_file
def test_no_file_names_a_place_on_this_machine_or_a_registry(path: Path) -> None:
    content = (ROOT / path).read_bytes()
    for text in (*PLACES, *REGISTRIES):
        assert text.encode() not in content


@every_module
def test_every_module_says_what_it_is(path: Path) -> None:
    told = ast.get_docstring(parse(path))
    assert told and told.strip()


@every_product
def test_files_are_short(path: Path) -> None:
    assert len((ROOT / path).read_text().splitlines()) < MOST_LINES


def test_what_a_newcomer_needs_is_there() -> None:
    expected = "README.md LICENSE CHANGELOG.md Makefile constraints.txt pyproject.toml .ci/run"
    assert {Path(name) for name in expected.split()} <= set(FILES)
