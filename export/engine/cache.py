"""Engines kept by what they were built from, so that each is built once."""

import re
from dataclasses import replace
from pathlib import Path

from export import store
from export.artifact import Artifact
from export.engine import file as engine_file
from export.engine.building import build_engine
from export.engine.file import EngineFile, EngineManifest
from export.engine.library import Library
from export.engine.optimisation import Profile
from export.engine.request import EngineRequest
from export.engine.watch import Unwatched, Watch
from export.gpu import Gpu, find_gpu
from hifigan_ref.errors import HifiError


def cached_engine(
    artifact: Artifact,
    request: EngineRequest,
    profile: Profile,
    library: Library,
    watch: Watch | None = None,
    number: int = 0,
) -> EngineFile:
    """The engine of a file, built if it is not there or was damaged.

    Args:
        artifact: the ONNX file, checked against its digest.
        request: what to build.
        profile: accepted shapes.
        library: that builds.
        watch: told of every step of a build.
        number: of the build, to keep several of the same inputs: each may choose other kernels.

    Raises:
        HifiError: an option the library lacks, or a graph it cannot build.
    """
    with store.claim("engine", _key(artifact, request, profile, library, number)) as place:
        path = place / _name(artifact)
        kept = engine_file.kept(path)
        if kept is not None:
            return kept
        return make(artifact, request, profile, library, path, watch)


def engine_at(
    path: Path,
    artifact: Artifact,
    request: EngineRequest,
    profile: Profile,
    library: Library,
    watch: Watch | None = None,
) -> EngineFile:
    """The same at a place of the user's choice; left alone where it lies there already.

    Raises:
        HifiError: as ``cached_engine``, or the place is not writable.
    """
    kept = store.place("engine", _key(artifact, request, profile, library)) / _name(artifact)
    cached, there = _told(kept), _told(path)
    name, rebuild = artifact.path.name, _rebuild(artifact, request.for_library(library), profile)
    if cached and there and there.sha256 == cached.sha256:
        same = there.manifest == replace(cached.manifest, onnx=name, rebuild=rebuild)
        if same and engine_file.kept(path):
            return there
    made = cached_engine(artifact, request, profile, library, watch)
    manifest = replace(made.manifest, onnx=name, rebuild=rebuild)
    return engine_file.save(path, manifest, made.path.read_bytes())


def make(
    artifact: Artifact,
    request: EngineRequest,
    profile: Profile,
    library: Library,
    path: Path,
    watch: Watch | None = None,
) -> EngineFile:
    """Build an engine at ``path`` with its manifest beside it, whether or not one is kept.

    Raises:
        HifiError: as ``cached_engine``.
    """
    from export.engine.runtime import read_layers

    request = request.for_library(library)
    plan = build_engine(artifact.path.read_bytes(), request, profile, library, watch or Unwatched())
    gpu = gpu_of(library)
    manifest = _manifest(artifact, request, profile, library, gpu, read_layers(library, plan))
    return engine_file.save(path, manifest, plan, durable=False)


def gpu_of(library: Library) -> Gpu | None:
    """The GPU that an engine will be tied to: TensorRT times kernels on it, RTX needs none.

    Raises:
        HifiError: TensorRT without a GPU.
    """
    if library.runtime == "rtx":
        return None
    try:
        return find_gpu()
    except HifiError as error:
        raise HifiError(f"{library} builds on a GPU only: {error}: choose --runtime rtx") from None


def _told(path: Path) -> EngineFile | None:
    try:
        return engine_file.told(path)
    except HifiError:
        return None


def _key(
    artifact: Artifact, request: EngineRequest, profile: Profile, library: Library, number: int = 0
) -> str:
    options = request.for_library(library).options()
    gpu = gpu_of(library)
    return store.key_of(
        artifact.sha256, options, profile, library.runtime, library.version, gpu, number
    )


def _name(artifact: Artifact) -> str:
    return f"{artifact.manifest.variant}{engine_file.SUFFIX}"


def _rebuild(artifact: Artifact, request: EngineRequest, profile: Profile) -> str:
    return f"hifi-export trt {artifact.path.name} {request.options()} {profile.options()}"


def _manifest(
    artifact: Artifact,
    request: EngineRequest,
    profile: Profile,
    library: Library,
    gpu: Gpu | None,
    layers: dict[str, str] | str,
) -> EngineManifest:
    source = artifact.manifest
    return EngineManifest(
        schema=engine_file.SCHEMA,
        variant=source.variant,
        weights=source.weights,
        onnx=artifact.path.name,
        onnx_sha256=artifact.sha256,
        graph_digest=source.graph_digest,
        runtime=library.runtime,
        builder=str(library),
        version=library.version,
        cuda=gpu.cuda if gpu else _cuda_of(library),
        gpu=None if gpu is None else str(gpu),
        compute_capability=None if gpu is None else gpu.compute_capability,
        targets=request.targets,
        profile=profile,
        precision=source.precision.name,
        tf32=request.tf32,
        version_compatible=request.version_compatible,
        hardware_compatible=request.hardware_compatible,
        layers=layers,
        inputs=source.inputs,
        outputs=source.outputs,
        smallest=source.smallest,
        views=source.views,
        rebuild=_rebuild(artifact, request, profile),
        tools=source.tools,
        plan=source.precision,
        budget_db=source.budget_db,
    )


def _cuda_of(library: Library) -> str:
    """CUDA's major version out of the name of the distribution (``tensorrt-rtx-cu13``)."""
    from importlib.metadata import packages_distributions

    names = packages_distributions().get(library.product.module, [])
    found = [match[1] for name in names if (match := re.search(r"cu(\d+)", name))]
    return found[0] if found else "unknown"
