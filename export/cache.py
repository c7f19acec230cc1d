"""Exported files kept by content, so that the same weights and request are exported once."""

import hashlib
import os
from functools import cache as memoise
from pathlib import Path
from typing import TYPE_CHECKING

from export import artifact, pipeline
from export.request import ExportRequest
from hifigan_ref.errors import HifiError

if TYPE_CHECKING:
    from hifigan_ref.trained import Trained

FOLDER_VARIABLE = "HIFI_EXPORT_CACHE"


def cached_export(request: ExportRequest, trained: "Trained") -> artifact.Artifact:
    """The file for a request, exported if it is not there or was changed.

    Raises:
        HifiError: as ``export_onnx``.
    """
    path = folder() / _key(request, trained) / f"{request.variant}.onnx"
    if path.exists():
        try:
            return artifact.load(path)
        except HifiError:
            path.unlink(missing_ok=True)  # damaged: made anew below
    return pipeline.export_onnx(request, trained, path).artifact


def folder() -> Path:
    """``$HIFI_EXPORT_CACHE``, else the user's cache folder."""
    chosen = os.environ.get(FOLDER_VARIABLE)
    if chosen:
        return Path(chosen)
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "hifi-export"


def _key(request: ExportRequest, trained: "Trained") -> str:
    text = f"{request!r} {trained.origin} {trained.digest} {artifact.tools()} {_source_digest()}"
    return hashlib.sha256(text.encode()).hexdigest()[:32]


@memoise
def _source_digest() -> str:
    """Of the code that exports: a changed exporter must not be served an old file."""
    root = Path(__file__).parent.parent
    sources = sorted(p for name in ("export", "hifigan_ref") for p in (root / name).rglob("*.py"))
    return hashlib.sha256(b"".join(path.read_bytes() for path in sources)).hexdigest()
