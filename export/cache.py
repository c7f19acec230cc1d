"""Exported files kept by content, so that the same weights and request are exported once."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from export import artifact, runtimes, store
from export.request import ExportRequest
from export.stream_record import ChunkPlan
from export.streaming.write import export_part
from hifigan_ref.variant import Variant

if TYPE_CHECKING:
    from hifigan_ref.trained import Trained


def cached_export(
    request: ExportRequest,
    identity: str,
    build: "Callable[[Variant], Trained]",
    chunk: ChunkPlan | None = None,
) -> artifact.Artifact:
    """The file for a request, exported if it is not there or was damaged.

    Args:
        request: what to export.
        identity: of the weights.
        build: draws or reads them; only asked if the file is not there.
        chunk: what of the signal the file computes at a time; None for all of it.

    Raises:
        HifiError: as ``export_part``.
    """
    with store.claim("onnx", _key(request, identity, chunk)) as place:
        path = place / _name(request)
        kept = artifact.kept(path)
        if kept is not None:
            return kept
        return export_part(request, chunk, build(request.variant), path, durable=False).artifact


def exported_at(
    path: Path, request: ExportRequest, identity: str, build: "Callable[[Variant], Trained]"
) -> artifact.Artifact:
    """The same at a place of the user's choice; left alone where it lies there already.

    Raises:
        HifiError: as ``cached_export``, or the place is not writable.
    """
    cached = artifact.told(store.place("onnx", _key(request, identity)) / _name(request))
    there = artifact.told(path)
    if cached and there and cached.sha256 == there.sha256 and artifact.kept(path):
        return there
    made = cached_export(request, identity, build)
    return artifact.save(path, made.manifest, made.path.read_bytes())


def _key(request: ExportRequest, identity: str, chunk: ChunkPlan | None = None) -> str:
    verified = runtimes.identity(request.target)
    return store.key_of(request, identity, artifact.tools(), verified, chunk)


def _name(request: ExportRequest) -> str:
    return f"{request.variant}.onnx"
