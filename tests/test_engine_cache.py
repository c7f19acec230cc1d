"""Engines are built once for the same inputs, by whoever comes first."""

import multiprocessing
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from export import artifact, pipeline, store
from export.artifact import Artifact
from export.engine import cache as engine_cache
from export.engine import file as engine_file
from export.engine.cache import cached_engine, engine_at
from export.engine.library import PRODUCTS, Library, find_library
from export.engine.optimisation import Profile, exactly
from export.engine.request import EngineRequest
from export.gpu import Gpu
from export.request import ExportRequest
from hifigan_ref.errors import HifiError
from hifigan_ref.trained import Trained
from hifigan_ref.variant import Variant

FEW = exactly({"batch": 1, "samples": 512})
REQUEST = EngineRequest("rtx")
H200 = Gpu("NVIDIA H200", "9.0", "580.1", "13.0", 2**37)


@pytest.fixture(autouse=True)
def own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    place = tmp_path / "kept"
    monkeypatch.setenv(store.FOLDER_VARIABLE, str(place))
    return place


@pytest.fixture(scope="module")
def library() -> Library:
    return find_library("rtx")


@pytest.fixture(scope="module")
def onnx(mpd_11: Trained, tmp_path_factory: pytest.TempPathFactory) -> Artifact:
    path = tmp_path_factory.mktemp("onnx") / "mpd-11.onnx"
    request = ExportRequest(Variant("mpd", "11"), views=("scores",))
    return pipeline.export_onnx(request, mpd_11, path).artifact


@pytest.fixture
def builds(monkeypatch: pytest.MonkeyPatch) -> list[EngineRequest]:
    """What was built, by a builder that only tells."""
    done: list[EngineRequest] = []

    def build(content: bytes, request: EngineRequest, *_: object) -> bytes:
        assert content
        done.append(request)
        return f"engine {len(done)}".encode()

    monkeypatch.setattr(engine_cache, "build_engine", build)
    return done


def test_a_second_call_does_not_build(
    onnx: Artifact, library: Library, builds: list[EngineRequest], own_folder: Path
) -> None:
    first = cached_engine(onnx, REQUEST, FEW, library)
    assert cached_engine(onnx, EngineRequest(), FEW, library) == first
    assert builds == [REQUEST]
    assert own_folder in first.path.parents


def test_everything_that_is_told_is_in_the_manifest(
    onnx: Artifact, library: Library, builds: list[EngineRequest]
) -> None:
    request = EngineRequest("rtx", ("sm89",), 512, 3, tf32=True)
    manifest = cached_engine(onnx, request, FEW, library).manifest
    assert builds == [request]
    assert (manifest.variant, manifest.weights) == ("mpd-11", "seed 0")
    assert (manifest.onnx, manifest.onnx_sha256) == ("mpd-11.onnx", onnx.sha256)
    assert manifest.graph_digest == onnx.manifest.graph_digest
    assert (manifest.runtime, manifest.version) == ("rtx", library.version)
    assert (manifest.builder, manifest.cuda) == (str(library), "13")
    assert (manifest.gpu, manifest.targets, manifest.tf32) == (None, ("sm89",), True)
    assert manifest.profile == FEW
    assert isinstance(manifest.layers, (str, dict))
    assert manifest.rebuild == (
        "hifi-export trt mpd-11.onnx --runtime rtx --target sm89 --workspace 512 --opt-level 3 "
        f"--tf32 {FEW.options()}"
    )


@pytest.mark.parametrize(
    "damage", [lambda _: b"", lambda content: content + b"1"], ids=["empty", "longer"]
)
def test_a_damaged_engine_is_built_again(
    onnx: Artifact,
    library: Library,
    builds: list[EngineRequest],
    damage: Callable[[bytes], bytes],
) -> None:
    first = cached_engine(onnx, REQUEST, FEW, library)
    first.path.write_bytes(damage(first.path.read_bytes()))
    again = cached_engine(onnx, REQUEST, FEW, library)
    assert len(builds) == 2
    assert again.path.read_bytes() == b"engine 2"


def test_everything_else_is_another_engine(
    onnx: Artifact,
    library: Library,
    builds: list[EngineRequest],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def build(
        onnx: Artifact = onnx,
        request: EngineRequest = REQUEST,
        profile: Profile = FEW,
        library: Library = library,
    ) -> None:
        cached_engine(onnx, request, profile, library)

    build()
    build(onnx=replace(onnx, sha256="0" * 64))
    build(request=replace(REQUEST, opt_level=1))
    build(request=replace(REQUEST, targets=("sm89",)))
    build(profile=exactly({"batch": 1, "samples": 513}))
    build(library=replace(library, version="1.8"))
    monkeypatch.setattr(engine_cache, "find_gpu", lambda: H200)
    tensorrt = Library(PRODUCTS[0], None, "11.1")
    build(library=tensorrt, request=EngineRequest())
    monkeypatch.setattr(engine_cache, "find_gpu", lambda: replace(H200, driver="581"))
    build(library=tensorrt, request=EngineRequest())
    assert len(builds) == len(store.entries()) == 8


def test_builds_of_the_same_inputs_are_kept_by_number(
    onnx: Artifact, library: Library, builds: list[EngineRequest]
) -> None:
    found = [cached_engine(onnx, REQUEST, FEW, library, number=n) for n in (0, 1, 1, 0)]
    assert [engine.path.read_bytes() for engine in found] == [
        b"engine 1",
        b"engine 2",
        b"engine 2",
        b"engine 1",
    ]
    assert len(builds) == 2


def test_tensorrt_without_a_gpu_says_so(onnx: Artifact) -> None:
    tensorrt = Library(PRODUCTS[0], None, "11.1")
    with pytest.raises(HifiError, match="builds on a GPU only: no CUDA device.*--runtime rtx"):
        cached_engine(onnx, EngineRequest(), FEW, tensorrt)


def test_a_place_of_the_users_choice(
    onnx: Artifact, library: Library, builds: list[EngineRequest], tmp_path: Path
) -> None:
    path = tmp_path / "mine" / "p11.engine"
    made = engine_at(path, onnx, REQUEST, FEW, library)
    assert (made.path, path.read_bytes()) == (path, b"engine 1")
    assert engine_file.load(path) == made
    before = path.stat()
    assert engine_at(path, onnx, REQUEST, FEW, library) == made
    after = path.stat()
    assert (before.st_ino, before.st_mtime_ns) == (after.st_ino, after.st_mtime_ns)
    path.write_bytes(b"changed")
    assert engine_at(path, onnx, REQUEST, FEW, library) == made
    assert path.read_bytes() == b"engine 1"
    assert builds == [REQUEST]


def test_the_command_that_rebuilds_names_the_users_file(
    onnx: Artifact, library: Library, builds: list[EngineRequest], tmp_path: Path
) -> None:
    """The same bytes under another name are the same cache entry, but not the same command."""
    copy = tmp_path / "p11.onnx"
    manifest = artifact.load(onnx.path).manifest
    renamed = artifact.save(copy, manifest, onnx.path.read_bytes())
    engine_at(tmp_path / "mpd-11.engine", onnx, REQUEST, FEW, library)
    made = engine_at(tmp_path / "p11.engine", renamed, REQUEST, FEW, library)
    assert made.manifest.onnx == "p11.onnx"
    assert made.manifest.rebuild.startswith("hifi-export trt p11.onnx ")
    assert len(builds) == 1


def _build(onnx: Artifact, log: Path, library_name: Any) -> None:
    def build(*_: object) -> bytes:
        with log.open("a") as file:
            file.write("built\n")
        return b"engine"

    vars(engine_cache)["build_engine"] = build
    cached_engine(onnx, REQUEST, FEW, find_library(library_name))


def test_two_processes_build_once(onnx: Artifact, tmp_path: Path) -> None:
    log = tmp_path / "log"
    both = [multiprocessing.Process(target=_build, args=(onnx, log, "rtx")) for _ in range(2)]
    for process in both:
        process.start()
    for process in both:
        process.join(120)
        assert process.exitcode == 0
    assert log.read_text() == "built\n"
