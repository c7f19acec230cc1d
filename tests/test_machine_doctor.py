"""The diagnosis: it tells what there is, and never fails because something is not."""

import json
import sys

import pytest

from bench import doctor
from bench.backend import backends
from bench.doctor import Finding, diagnose
from bench.render.views.diagnosis import TITLES, lines
from cli import bench_main
from export.gpu import Gpu
from fakes import FakeBackend, run_main
from hifigan_ref.errors import HifiError

pytestmark = pytest.mark.filterwarnings("ignore:.*torch.jit.script_method.*:DeprecationWarning")

H200 = Gpu("NVIDIA H200", "9.0", "580.1", "13.0", 141 * 2**30)


def by_name(section: str) -> dict[str, Finding]:
    return {found.name: found for found in diagnose() if found.section == section}


def test_every_backend_is_told_with_its_reason() -> None:
    found = by_name("backend")
    assert list(found) == list(backends())
    for name, backend in backends().items():
        missing = backend.missing()
        assert found[name].ready == (missing is None)
        assert found[name].found == (missing or "runs here")


def test_the_gpu_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "find_gpu", lambda: H200)
    found = by_name("gpu")
    assert found["GPU"].found == "NVIDIA H200 (compute capability 9.0), 141 GiB"
    assert found["driver"].found == "580.1, CUDA up to 13.0"


def test_no_gpu_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> Gpu:
        raise HifiError("no CUDA device: nothing there")

    monkeypatch.setattr(doctor, "find_gpu", fail)
    assert by_name("gpu") == {
        "GPU": Finding("gpu", "GPU", "no CUDA device: nothing there", ready=False)
    }


def test_libraries_are_told_with_their_versions() -> None:
    import onnxruntime
    import torch

    found = by_name("library")
    assert found["torch"].found.startswith(torch.__version__)
    assert found["onnxruntime"].found.startswith(onnxruntime.__version__)
    assert "CPUExecutionProvider" in found["onnxruntime"].found
    assert found["openvino"].found.endswith("CPU")
    assert found["tensorrt_rtx"].ready


def test_a_library_that_is_missing_or_broken_is_told_with_the_command(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "openvino", None)
    monkeypatch.setitem(sys.modules, "onnx", object())
    found = by_name("library")
    assert not found["openvino"].ready
    assert found["openvino"].found.endswith(": pip install openvino")
    assert not found["onnx"].ready and "\n" not in found["onnx"].found


def test_every_section_has_a_title_and_what_is_missing_a_mark() -> None:
    findings = [Finding(section, "x", "found") for section in TITLES]
    findings += [Finding("backend", "[gpu]", "pip install a[b]", ready=False)]
    told = lines(findings)
    assert told == [
        "This machine",
        "    x                  found",
        "",
        "GPU",
        "    x                  found",
        "",
        "Libraries",
        "    x                  found",
        "",
        "Backends",
        "    x                  found",
        "  - [gpu]              pip install a[b]",
    ]


def test_the_command_prints_it(monkeypatch: pytest.MonkeyPatch) -> None:
    fakes = {"absent": FakeBackend("absent", reason="no GPU: buy one")}
    monkeypatch.setattr(doctor, "backends", lambda: fakes)
    told = run_main(bench_main, "doctor")
    assert (told.code, told.err) == (0, "")
    assert told.out.endswith("Backends\n  - absent             no GPU: buy one\n")
    records = json.loads(run_main(bench_main, "doctor", "--json").out)
    assert records[-1] == {
        "section": "backend",
        "name": "absent",
        "found": "no GPU: buy one",
        "ready": False,
    }
