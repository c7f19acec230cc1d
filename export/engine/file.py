"""An engine with its manifest: who built it from what, and whether it can run here."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from export import atomic
from export.artifact import Port, file_digest
from export.engine.library import Library, Runtime
from export.engine.optimisation import Profile
from export.gpu import Gpu
from export.precision.budget import PRECISIONS
from export.precision.plan import FP32, PrecisionPlan
from hifigan_ref.errors import HifiError
from hifigan_ref.network import Sizes
from hifigan_ref.views import View

SCHEMA = 2
SUFFIX = ".engine"


@dataclass(frozen=True)
class EngineManifest:
    """What an engine holds and what made it.

    Attributes:
        schema: version of this record.
        variant: network.
        weights: where they came from.
        onnx: name of the file it was built from.
        onnx_sha256: of that file.
        graph_digest: of the graph in it.
        runtime: ``tensorrt`` or ``rtx``.
        builder: the library with its version, as a person reads it.
        version: of the library.
        cuda: version that the library was made for, or that the driver supports.
        gpu: that it was built on, or None where none was needed.
        compute_capability: of that GPU.
        targets: compute capabilities that were asked for; none means the library's choice.
        profile: accepted shapes.
        precision: of the graph: a name, ``mixed`` where layers differ.
        tf32: whether float32 products may round their factors.
        version_compatible: whether later versions of the library may run it.
        hardware_compatible: whether later GPUs may run it.
        layers: precision of each layer as the library tells it, or why it could not be asked.
        inputs: in order.
        outputs: in order.
        smallest: of each axis, from which up every length is legal.
        views: how the network is seen.
        rebuild: the command that builds it again.
        tools: versions of what made the ONNX file.
        plan: precision of the graph's layers, which the parsed network was held against.
        budget_db: least SNR that the graph promises, dB.
    """

    schema: int
    variant: str
    weights: str
    onnx: str
    onnx_sha256: str
    graph_digest: str
    runtime: Runtime
    builder: str
    version: str
    cuda: str
    gpu: str | None
    compute_capability: str | None
    targets: tuple[str, ...]
    profile: Profile
    precision: str
    tf32: bool
    version_compatible: bool
    hardware_compatible: bool
    layers: Mapping[str, str] | str
    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]
    smallest: Sizes
    views: tuple[View, ...]
    rebuild: str
    tools: Mapping[str, str]
    plan: PrecisionPlan = FP32
    budget_db: float = PRECISIONS["fp32"].budget_db


@dataclass(frozen=True)
class EngineFile:
    """An engine on disk.

    Attributes:
        path: the ``.engine`` file.
        sha256: of the whole file.
        bytes: its size.
        manifest: as it lies beside it.
    """

    path: Path
    sha256: str
    bytes: int
    manifest: EngineManifest

    def describe(self) -> dict[str, object]:
        """The JSON that lies beside the file."""
        record: dict[str, object] = _MANIFEST.dump_python(self.manifest, mode="json")
        return {"file": self.path.name, "sha256": self.sha256, "bytes": self.bytes, **record}


_MANIFEST = TypeAdapter(EngineManifest)


def sidecar(path: Path) -> Path:
    """Where the manifest of an engine lies: ``mpd-11.engine`` -> ``mpd-11.engine.json``."""
    return path.with_name(path.name + ".json")


def save(path: Path, manifest: EngineManifest, plan: bytes, durable: bool = True) -> EngineFile:
    """Write the engine and its manifest, each in one step, or neither."""
    engine = EngineFile(path, hashlib.sha256(plan).hexdigest(), len(plan), manifest)
    text = json.dumps(engine.describe(), indent=2) + "\n"
    atomic.write_all({path: plan, sidecar(path): text.encode()}, durable)
    return engine


def load(path: Path) -> EngineFile:
    """Read an engine's manifest and check that the engine is the one it tells of.

    Raises:
        HifiError: either file is missing, damaged or changed, or of another schema.
    """
    engine = told(path)
    try:
        found = file_digest(path)
    except OSError as error:
        raise HifiError(
            f"cannot read {path}: {error.strerror}: build it: {engine.manifest.rebuild}"
        ) from None
    if found != engine.sha256:
        raise HifiError(
            f"{path} is not the file that its manifest tells of (digest): "
            f"build it again: {engine.manifest.rebuild}"
        )
    return engine


def told(path: Path) -> EngineFile:
    """What the manifest beside an engine tells, without a look at the engine.

    Raises:
        HifiError: it is missing, damaged, of another schema or about another file.
    """
    try:
        record = _upgraded(json.loads(sidecar(path).read_bytes()))
        name, sha256, size = (record.pop(key) for key in ("file", "sha256", "bytes"))
    except OSError as error:
        raise HifiError(
            f"{path} has no manifest ({sidecar(path)}: {error.strerror}): "
            "give an engine that hifi-export wrote, with its .json beside it"
        ) from None
    except (ValueError, KeyError, AttributeError, TypeError):
        raise HifiError(f"{sidecar(path)} is damaged: build the engine again") from None
    if record.get("schema") != SCHEMA:
        raise HifiError(
            f"{sidecar(path)} has schema {record.get('schema')}, this version reads {SCHEMA}: "
            "build the engine again"
        )
    try:
        manifest = _MANIFEST.validate_python(record, strict=False)
    except ValidationError:
        raise HifiError(f"{sidecar(path)} is damaged: build the engine again") from None
    if name != path.name:
        raise HifiError(f"{sidecar(path)} is about {name}: build the engine again")
    return EngineFile(path, str(sha256), int(size), manifest)


def kept(path: Path) -> EngineFile | None:
    """An engine that lies as ``save`` wrote it, else None."""
    try:
        return load(path)
    except HifiError:
        return None


def why_not_here(manifest: EngineManifest, library: Library, gpu: Gpu) -> str | None:
    """Why an engine cannot run with this library on this GPU and what to do, or None.

    TensorRT's engines run on the version and the compute capability they were built with, unless
    they were built to be compatible; those of TensorRT for RTX on their own version only, and on
    the targets that were asked for.
    """
    reason = None
    if manifest.runtime != library.runtime or (
        manifest.version != library.version and not manifest.version_compatible
    ):
        reason = f"it was built with {manifest.builder}, here is {library}"
    elif manifest.targets and gpu.target not in manifest.targets:
        reason = f"it was built for {', '.join(manifest.targets)}, here is {gpu}"
    elif (
        manifest.compute_capability not in (None, gpu.compute_capability)
        and not manifest.hardware_compatible
    ):
        reason = f"it was built on {manifest.gpu}, here is {gpu}"
    return None if reason is None else f"this engine cannot run here: {reason}: {manifest.rebuild}"


def _upgraded(record: dict[str, Any]) -> dict[str, Any]:
    """A record of schema 1, whose profile was of batch and samples, in today's.

    Raises:
        AttributeError, KeyError, TypeError: it is no such record.
    """
    if record.get("schema") != 1 or not {"profile", "min_samples", "pair"} <= record.keys():
        return record
    found = {**record, "schema": SCHEMA, "profile": {"spans": [*record["profile"].values()]}}
    found["smallest"] = {"batch": 1, "samples": found.pop("min_samples")}
    scores = not any("fmap" in port["name"] for port in record["outputs"])
    asked = {"scores": scores, "pair": found.pop("pair")}
    found["views"] = [view for view, there in asked.items() if there]
    return found
