"""Exported files kept by content, so that the same weights and request are exported once."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from export import artifact, pipeline, store
from export.request import ExportRequest
from hifigan_ref.variant import Variant

if TYPE_CHECKING:
    from hifigan_ref.trained import Trained


def cached_export(
    request: ExportRequest, identity: str, build: "Callable[[Variant], Trained]"
) -> artifact.Artifact:
    """The file for a request, exported if it is not there or was damaged.

    Args:
        request: what to export.
        identity: of the weights.
        build: draws or reads them; only asked if the file is not there.

    Raises:
        HifiError: as ``export_onnx``.
    """
    key = store.key_of(request, identity, artifact.tools())
    with store.claim("onnx", key) as place:
        path = place / f"{request.variant}.onnx"
        kept = artifact.kept(path)
        if kept is not None:
            return kept
        return pipeline.export_onnx(request, build(request.variant), path).artifact
