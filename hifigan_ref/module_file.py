"""A class out of a user's own file, whose code runs here."""

import ast
import hashlib
import importlib.util
import sys
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

from hifigan_ref.errors import HifiError, named
from hifigan_ref.module_spec import ModuleSpec

if TYPE_CHECKING:
    from torch import nn

_PREFIX = "hifi_export_network_"


def load_class(spec: ModuleSpec) -> "type[nn.Module]":
    """The class.

    Raises:
        HifiError: the file cannot be run, or has no such class of modules.
    """
    from torch import nn

    module = _loaded(spec.file)
    found = getattr(module, spec.name, None)
    if not (isinstance(found, type) and issubclass(found, nn.Module)):
        there = [n for n, each in vars(module).items() if _is_own(each, module, nn.Module)]
        why = "is no nn.Module" if found is not None else "is not there"
        choose = f"choose from {', '.join(there)}" if there else "it has no class of nn.Module"
        raise HifiError(f"{spec.file}: {spec.name} {why}: {choose}")
    return found


def source_digest(file: Path) -> str:
    """sha256 of a file, and of what it imports out of its own folder, and so on.

    Raises:
        HifiError: it cannot be read, or is no Python.
    """
    contents: dict[Path, bytes] = {}
    due = [file.resolve()]
    while due:
        path = due.pop()
        if path not in contents:
            contents[path] = _read(path)
            due += _imported(path, contents[path], file.resolve().parent)
    return hashlib.sha256(b"".join(contents[path] for path in sorted(contents))).hexdigest()


def digest_of(file: Path) -> str:
    """sha256 of one file. Raises HifiError where it cannot be read."""
    return hashlib.sha256(_read(file)).hexdigest()


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise HifiError(
            f"network {path} cannot be read: {error.strerror}: name it with its folder, as in "
            f"--network FOLDER/{path.name}"
        ) from None


def _imported(path: Path, content: bytes, folder: Path) -> list[Path]:
    """Files of a folder that a file imports; of a package, all of it."""
    try:
        nodes = list(ast.walk(ast.parse(content)))
    except SyntaxError as error:
        raise HifiError(
            f"network {path} is no Python in line {error.lineno}: {error.msg}"
        ) from None
    names = [alias.name for n in nodes if isinstance(n, ast.Import) for alias in n.names]
    names += [n.module for n in nodes if isinstance(n, ast.ImportFrom) and n.module]
    tops = sorted({name.partition(".")[0] for name in names})
    alone = [folder / f"{top}.py" for top in tops]
    inside = [each for top in tops for each in sorted((folder / top).rglob("*.py"))]
    return [each for each in (*alone, *inside) if each.is_file()]


def _loaded(file: Path) -> ModuleType:
    """The file's module, run once for each of its contents."""
    name = f"{_PREFIX}{source_digest(file)[:16]}"
    if name in sys.modules:
        return sys.modules[name]
    spec = importlib.util.spec_from_file_location(name, file)
    assert spec is not None and spec.loader is not None, "it ends in .py"
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    folder = str(file.resolve().parent)
    sys.path.insert(0, folder)
    try:
        spec.loader.exec_module(module)
    # whatever a user's file raises is told, and its line
    except BaseException as error:
        del sys.modules[name]
        if isinstance(error, KeyboardInterrupt):
            raise
        raise HifiError(f"network {file} fails{line_of(error, file)}: {named(error)}") from None
    finally:
        sys.path.remove(folder)
    return module


def _is_own(value: object, module: ModuleType, base: type) -> bool:
    return (
        isinstance(value, type) and issubclass(value, base) and value.__module__ == module.__name__
    )


def line_of(error: BaseException, file: Path) -> str:
    """`` in line 12``: the last one of the file that led to an error."""
    lines, trace = [], error.__traceback__
    while trace is not None:
        if Path(trace.tb_frame.f_code.co_filename).name == file.name:
            lines.append(trace.tb_lineno)
        trace = trace.tb_next
    return f" in line {lines[-1]}" if lines else ""
