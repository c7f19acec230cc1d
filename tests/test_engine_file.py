"""An engine and its manifest: whatever does not fit is told in words, with the way back."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from export.artifact import Port
from export.engine import file as engine_file
from export.engine.file import EngineFile, EngineManifest, load, save, sidecar, why_not_here
from export.engine.library import PRODUCTS, Library
from export.engine.optimisation import exactly
from export.gpu import Gpu
from hifigan_ref.errors import HifiError

H200 = Gpu("NVIDIA H200", "9.0", "580.1", "13.0", 2**37)
L4 = Gpu("NVIDIA L4", "8.9", "580.1", "13.0", 2**34)
TENSORRT = Library(PRODUCTS[0], None, "11.1")
RTX = Library(PRODUCTS[1], None, "1.7")
COMMAND = "hifi-export trt mpd-11.onnx --runtime rtx"
MANIFEST = EngineManifest(
    schema=engine_file.SCHEMA,
    variant="mpd-11",
    weights="seed 0",
    onnx="mpd-11.onnx",
    onnx_sha256="1" * 64,
    graph_digest="2" * 64,
    runtime="rtx",
    builder="TensorRT for RTX 1.7",
    version="1.7",
    cuda="13",
    gpu=None,
    compute_capability=None,
    targets=(),
    profile=exactly({"batch": 2, "samples": 8192}),
    precision="fp32",
    tf32=False,
    version_compatible=False,
    hardware_compatible=False,
    layers={"conv": "fp32"},
    inputs=(Port("y", ("batch", 1, "samples")),),
    outputs=(Port("score", ("batch", 5)),),
    smallest={"batch": 1, "samples": 6},
    views=(),
    rebuild=COMMAND,
    tools={"onnx": "1"},
)
ON_H200 = replace(
    MANIFEST,
    runtime="tensorrt",
    builder="TensorRT 11.1",
    version="11.1",
    gpu=str(H200),
    compute_capability="9.0",
)


@pytest.fixture
def saved(tmp_path: Path) -> EngineFile:
    return save(tmp_path / "mpd-11.engine", MANIFEST, b"an engine")


def test_it_is_read_back_as_it_was(saved: EngineFile) -> None:
    assert load(saved.path) == saved
    assert saved.bytes == 9
    assert sidecar(saved.path).name == "mpd-11.engine.json"


def test_layers_may_be_unread(tmp_path: Path) -> None:
    manifest = replace(MANIFEST, layers="not read: no CUDA device")
    assert load(save(tmp_path / "a.engine", manifest, b"1").path).manifest == manifest


@pytest.mark.parametrize(
    "damage",
    [lambda c: c[:-1], lambda c: b"b" + c[1:], lambda _: b""],
    ids=["cut", "changed", "empty"],
)
def test_a_changed_engine_is_refused_with_the_command(
    saved: EngineFile, damage: Callable[[bytes], bytes]
) -> None:
    saved.path.write_bytes(damage(saved.path.read_bytes()))
    with pytest.raises(HifiError, match=f"digest.*: build it again: {COMMAND}"):
        load(saved.path)
    assert engine_file.kept(saved.path) is None


def test_a_missing_engine_is_told_with_the_command(saved: EngineFile) -> None:
    saved.path.unlink()
    with pytest.raises(HifiError, match=f"cannot read .*mpd-11.engine: .*build it: {COMMAND}"):
        load(saved.path)


def test_an_engine_of_somebody_else_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "other.engine"
    path.write_bytes(b"an engine")
    with pytest.raises(HifiError, match="has no manifest .*give an engine that hifi-export wrote"):
        load(path)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"file": "mpd-11.engine"}', "null", "1"])
def test_a_damaged_manifest_is_refused(saved: EngineFile, text: str) -> None:
    sidecar(saved.path).write_text(text)
    with pytest.raises(HifiError, match="is damaged: build the engine again"):
        load(saved.path)


@pytest.mark.parametrize(
    ("key", "value", "told"),
    [
        ("schema", 99, "has schema 99, this version reads 2"),
        ("file", "mpd-7.engine", "is about mpd-7.engine"),
        ("profile", {"batch": 1}, "is damaged"),
        ("runtime", "other", "is damaged"),
        ("sha256", "0" * 64, "digest"),
    ],
)
def test_a_manifest_that_does_not_fit_is_refused(
    saved: EngineFile, key: str, value: object, told: str
) -> None:
    record = json.loads(sidecar(saved.path).read_text())
    record[key] = value
    sidecar(saved.path).write_text(json.dumps(record))
    with pytest.raises(HifiError, match=told) as caught:
        load(saved.path)
    assert "\n" not in str(caught.value)


def test_what_fits_may_run() -> None:
    assert why_not_here(MANIFEST, RTX, H200) is None
    assert why_not_here(replace(MANIFEST, targets=("sm89",)), RTX, L4) is None
    assert why_not_here(ON_H200, TENSORRT, H200) is None
    later = replace(TENSORRT, version="11.4")
    assert why_not_here(replace(ON_H200, version_compatible=True), later, H200) is None
    assert why_not_here(replace(ON_H200, hardware_compatible=True), TENSORRT, L4) is None


@pytest.mark.parametrize(
    ("manifest", "library", "gpu", "told"),
    [
        (MANIFEST, TENSORRT, H200, "built with TensorRT for RTX 1.7, here is TensorRT 11.1"),
        (
            MANIFEST,
            replace(RTX, version="1.8"),
            H200,
            "built with TensorRT for RTX 1.7, here is TensorRT for RTX 1.8",
        ),
        (
            replace(MANIFEST, targets=("sm89", "sm120")),
            RTX,
            H200,
            "built for sm89, sm120, here is NVIDIA H200 (compute capability 9.0)",
        ),
        (
            ON_H200,
            TENSORRT,
            L4,
            (
                "built on NVIDIA H200 (compute capability 9.0), here is NVIDIA L4 "
                "(compute capability 8.9)"
            ),
        ),
        (
            ON_H200,
            replace(TENSORRT, version="11.4"),
            H200,
            "built with TensorRT 11.1, here is TensorRT 11.4",
        ),
    ],
)
def test_what_does_not_fit_is_told_in_words_with_the_command(
    manifest: EngineManifest, library: Library, gpu: Gpu, told: str
) -> None:
    assert why_not_here(manifest, library, gpu) == (
        f"this engine cannot run here: it was {told}: {COMMAND}"
    )
