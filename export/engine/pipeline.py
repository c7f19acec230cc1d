"""One way through to engines: export or read, fit the profile, build or find, put in place."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

from export import artifact, atomic
from export.cache import exported_at
from export.engine.cache import engine_at
from export.engine.file import SUFFIX, EngineFile
from export.engine.library import Library
from export.engine.optimisation import Asked, Profile, profile_for
from export.engine.request import EngineRequest
from export.engine.watch import Watch
from export.request import ExportRequest
from hifigan_ref.errors import HifiError
from hifigan_ref.source import Weights

Watching = Callable[[str], AbstractContextManager[Watch]]


@dataclass(frozen=True)
class EngineOrder:
    """What is wanted of every engine.

    Attributes:
        request: for the library.
        library: that builds.
        profile: of each axis, as far as something was said.
        watching: gives a watch for a named piece of work.
    """

    request: EngineRequest
    library: Library
    profile: Mapping[str, Asked]
    watching: Watching


def engines_of(
    requests: list[ExportRequest], weights: Weights, folder: Path, order: EngineOrder
) -> Iterator[EngineFile]:
    """Export each graph into a folder and build its engine beside it.

    Raises:
        HifiError: as ``cached_export`` and ``cached_engine``.
    """
    profiles = [profile_for(each, each.sizes, order.profile) for each in requests]
    atomic.check_writable(folder)
    for request, profile in zip(requests, profiles, strict=True):
        path = folder / f"{request.variant}.onnx"
        with order.watching(f"{request.variant}: ONNX"):
            onnx = exported_at(path, request, weights.identity, weights.build)
        yield _engine_of(onnx, profile, order)


def engine_of_file(path: Path, order: EngineOrder) -> EngineFile:
    """Build the engine of a file of ours beside it.

    Raises:
        HifiError: the file is not ours or was changed, or as ``cached_engine``.
    """
    onnx = artifact.load(path)
    plan = onnx.manifest.precision
    if "int8" in plan.held and plan.activations != "int8":
        raise HifiError(
            f"{path} has {plan.activations} activations, as runtimes on a CPU like them; TensorRT "
            "takes int8 alone: export it again without --for"
        )
    profile = profile_for(onnx.of_whole, onnx.fixed, order.profile)
    atomic.check_writable(path.parent)
    return _engine_of(onnx, profile, order)


def _engine_of(onnx: artifact.Artifact, profile: Profile, order: EngineOrder) -> EngineFile:
    place = onnx.path.with_suffix(SUFFIX)
    with order.watching(onnx.manifest.variant) as watch:
        return engine_at(place, onnx, order.request, profile, order.library, watch)
