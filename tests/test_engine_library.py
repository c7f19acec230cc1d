"""Which of the two libraries is taken, and what is told where there is none."""

import sys
from types import ModuleType

import pytest

from export.engine.library import find_library, why_missing
from hifigan_ref.errors import HifiError


def pretend(monkeypatch: pytest.MonkeyPatch, name: str, version: str | None) -> None:
    """A module of that version, or none."""
    module = None
    if version is not None:
        module = ModuleType(name)
        module.__version__ = version  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, name, module)


def test_tensorrt_comes_first(monkeypatch: pytest.MonkeyPatch) -> None:
    pretend(monkeypatch, "tensorrt", "11.1.0.5")
    pretend(monkeypatch, "tensorrt_rtx", "1.7.1.116")
    found = find_library()
    assert (found.runtime, found.version, str(found)) == (
        "tensorrt",
        "11.1.0.5",
        "TensorRT 11.1.0.5",
    )
    assert str(find_library("rtx")) == "TensorRT for RTX 1.7.1.116"


def test_the_other_one_stands_in(monkeypatch: pytest.MonkeyPatch) -> None:
    pretend(monkeypatch, "tensorrt", None)
    pretend(monkeypatch, "tensorrt_rtx", "1.7.1.116")
    assert find_library("auto").runtime == "rtx"
    with pytest.raises(HifiError, match="tensorrt cannot be imported .*: pip install tensorrt$"):
        find_library("tensorrt")


def test_none_is_an_error_that_names_both(monkeypatch: pytest.MonkeyPatch) -> None:
    pretend(monkeypatch, "tensorrt", None)
    pretend(monkeypatch, "tensorrt_rtx", None)
    told = why_missing("auto")
    assert told is not None and "\n" not in told
    assert "pip install tensorrt;" in told and told.endswith("pip install tensorrt-rtx-cu13")


@pytest.mark.parametrize("version", ["8.6.1", "10.11.0.33"])
def test_an_old_one_is_refused(monkeypatch: pytest.MonkeyPatch, version: str) -> None:
    pretend(monkeypatch, "tensorrt", version)
    with pytest.raises(HifiError, match=f"TensorRT {version} is too old: install 10.12 or later"):
        find_library("tensorrt")


@pytest.mark.parametrize("version", ["10.12.0.36", "11.0.0"])
def test_a_new_one_is_not(monkeypatch: pytest.MonkeyPatch, version: str) -> None:
    pretend(monkeypatch, "tensorrt", version)
    assert find_library("tensorrt").version == version
    assert why_missing("tensorrt") is None


def test_a_library_whose_files_are_missing_tells_so(monkeypatch: pytest.MonkeyPatch) -> None:
    class Broken:
        def find_spec(self, name: str, path: object, target: object = None) -> None:
            del path, target
            if name == "tensorrt_rtx":
                raise OSError("libnvonnxparser.so.1: cannot open\nshared object file")

    monkeypatch.delitem(sys.modules, "tensorrt_rtx", raising=False)
    monkeypatch.setattr(sys, "meta_path", [Broken(), *sys.meta_path])
    assert why_missing("rtx") == (
        "tensorrt_rtx cannot be imported (libnvonnxparser.so.1: cannot open; shared "
        "object file): pip install tensorrt-rtx-cu13"
    )


def test_another_name_is_refused() -> None:
    with pytest.raises(HifiError, match="'trt': choose from auto, tensorrt, rtx"):
        find_library("trt")  # type: ignore[arg-type]
