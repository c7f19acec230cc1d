"""An ONNX file with its manifest: written in one step, read back only if nothing changed."""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import TypeAdapter, ValidationError

from export import atomic, manifest_schema_1, onnx_file
from export.lowering.plan import PLAIN, LoweringPlan
from export.precision.budget import PRECISIONS
from export.precision.loudness import Loudness
from export.precision.plan import FP32, PrecisionPlan
from export.request import ExportRequest
from export.runtimes import NotAsked, Verified
from export.stream_record import Streamed
from hifigan_ref.errors import HifiError
from hifigan_ref.network import Sizes
from hifigan_ref.variant import Variant
from hifigan_ref.version import VERSION
from hifigan_ref.views import View

if TYPE_CHECKING:
    import onnx
    import onnx_ir as ir

    from hifigan_ref.trained import Trained

SCHEMA = 2
PRODUCER = "hifi-export"
METADATA_KEY = "hifi-export.manifest"
SEAL_KEY = "hifi-export.seal"  # digest of the manifest, which holds that of the graph


@dataclass(frozen=True)
class Port:
    """An input or an output.

    Attributes:
        name: its name in the graph.
        shape: fixed lengths and names of dynamic axes.
    """

    name: str
    shape: tuple[int | str, ...]


@dataclass(frozen=True)
class Manifest:
    """What a file holds and what made it.

    Attributes:
        schema: version of this record.
        variant: ``mpd-11``, ``msd-0``, ``mpd``, ``msd``.
        weights: where they came from.
        weights_digest: sha256 of the state dict as trained.
        opset: version of ONNX's default domain.
        ir_version: version of the file format.
        sizes: lengths of axes that are fixed.
        smallest: of each axis, from which up every length is legal.
        views: how the network is seen.
        inputs: in order.
        outputs: in order.
        graph_digest: sha256 of the file without its metadata.
        tools: versions of what made it.
        lowering: forms of its convolutions.
        precision: of its layers.
        budget_db: least SNR of the worst output that was asked for, or the precision's own, dB.
        judged: loudness of the speech on which the layers were found to keep the budget; None for
            a file of float32 alone, and in files of earlier versions.
        verified: runtimes that computed what PyTorch does; nothing in older files.
        not_asked: why the one that it is for is not among them; None where it is, or none was told.
        stream: how it is a part of a signal; None for a file of whole signals.
    """

    schema: int
    variant: str
    weights: str
    weights_digest: str
    opset: int
    ir_version: int
    sizes: Sizes
    smallest: Sizes
    views: tuple[View, ...]
    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]
    graph_digest: str
    tools: Mapping[str, str]
    lowering: LoweringPlan = PLAIN
    precision: PrecisionPlan = FP32
    budget_db: float = PRECISIONS["fp32"].budget_db
    judged: Loudness | None = None
    verified: tuple[Verified, ...] = ()
    not_asked: NotAsked | None = None
    stream: Streamed | None = None


@dataclass(frozen=True)
class Artifact:
    """A file on disk.

    Attributes:
        path: the ``.onnx`` file.
        sha256: of the whole file.
        manifest: as it stands in the file.
    """

    path: Path
    sha256: str
    manifest: Manifest

    @property
    def request(self) -> ExportRequest:
        """What made it, but for how its layers are written and in what they compute.

        Raises:
            HifiError: it computes chunks of a signal, which no request says.
        """
        held = self.manifest
        if held.stream is not None:
            raise HifiError(
                f"{self.path} computes {held.variant} in chunks ({held.stream}): give a file of "
                "whole signals, which hifi-export onnx without --chunk writes"
            )
        return self.of_whole

    @property
    def of_whole(self) -> ExportRequest:
        """What made the whole network that it is or computes a chunk of."""
        held = self.manifest
        return ExportRequest(Variant.parse(held.variant), held.opset, views=held.views)

    @property
    def fixed(self) -> Sizes:
        """Lengths of the axes that have one alone; of time where it takes chunks."""
        stream, sizes = self.manifest.stream, self.manifest.sizes
        return sizes if stream is None else {**sizes, stream.unit: stream.taken}

    def describe(self) -> dict[str, object]:
        """The manifest with the file's name and digest: the JSON that lies beside the file."""
        record: dict[str, object] = _MANIFEST.dump_python(
            self.manifest, mode="json", exclude=_SETTLED
        )
        return {"file": self.path.name, "sha256": self.sha256, **record}


_MANIFEST = TypeAdapter(Manifest)
_SETTLED = {"lowering": {"back"}}  # nothing of a graph that is written


def sidecar(path: Path) -> Path:
    """Where the manifest of a file lies: ``mpd-11.onnx`` -> ``mpd-11.json``."""
    return path.with_suffix(".json")


def bare(model: "ir.Model") -> bytes:
    """A graph as a file without a manifest: what is verified before it is sealed."""
    import onnx_ir as ir

    content: bytes = ir.to_proto(model).SerializeToString(deterministic=True)
    return content


def seal(
    content: bytes,
    request: ExportRequest,
    trained: "Trained",
    verified: tuple[Verified, ...] = (),
    not_asked: NotAsked | None = None,
    judged: Loudness | None = None,
    stream: Streamed | None = None,
) -> tuple[Manifest, bytes]:
    """The manifest of a bare file, and the file that carries it.

    Args:
        content: the bare file.
        request: what it is.
        trained: its weights.
        verified: runtimes that computed what PyTorch does.
        not_asked: why the one that it is for is not among them.
        judged: loudness of the speech that its budget was kept on.
        stream: how it is a part of a signal.
    """
    import onnx

    proto = onnx.ModelProto.FromString(content)
    manifest = Manifest(
        schema=SCHEMA,
        variant=request.variant.stated,
        weights=trained.origin,
        weights_digest=trained.digest,
        opset=request.opset,
        ir_version=proto.ir_version,
        sizes=request.sizes,
        smallest=request.signature.smallest,
        views=request.views,
        inputs=ports(proto.graph.input),
        outputs=ports(proto.graph.output),
        graph_digest=hashlib.sha256(content).hexdigest(),
        tools=tools(),
        lowering=request.lowering,
        precision=request.precision.nameless,
        budget_db=request.budget_db,
        judged=judged,
        verified=verified,
        not_asked=not_asked,
        stream=stream,
    )
    text = _MANIFEST.dump_json(manifest, exclude=_SETTLED)
    proto.metadata_props.add(key=METADATA_KEY, value=text.decode())
    proto.metadata_props.add(key=SEAL_KEY, value=hashlib.sha256(text).hexdigest())
    return manifest, proto.SerializeToString(deterministic=True)


def save(path: Path, manifest: Manifest, content: bytes, durable: bool = True) -> Artifact:
    """Write the file and its sidecar, each in one step, or neither."""
    beside = sidecar(path)
    if beside.exists() and told(path) is None and not _is_manifest(beside):
        raise HifiError(
            f"{beside} is there already and is no manifest of ours: move it away, or choose "
            "another --out"
        )
    artifact = Artifact(path, hashlib.sha256(content).hexdigest(), manifest)
    text = json.dumps(artifact.describe(), indent=2) + "\n"
    atomic.write_all({path: content, sidecar(path): text.encode()}, durable)
    return artifact


def _is_manifest(path: Path) -> bool:
    """Whether a file looks like a sidecar, of whatever version or file; a damaged one does too."""
    return b'"graph_digest"' in read_file(path)


def load(path: Path) -> Artifact:
    """Read a file of ours back; the manifest inside it is what counts, not the sidecar.

    Raises:
        HifiError: missing, truncated, changed since it was written, or made by something else.
    """
    content = read_file(path)
    proto = onnx_file.parse(path, content)
    manifest = embedded_manifest(proto, path)
    if manifest is None:
        raise HifiError(
            f"{path} has no manifest: give a file that hifi-export wrote, as it wrote it"
        )
    if not is_intact(proto, manifest):
        raise HifiError(f"{path} was changed after it was exported (digest): export it again")
    return Artifact(path, hashlib.sha256(content).hexdigest(), manifest)


def is_foreign(path: Path) -> bool:
    """Whether a file is a whole one of another tool; not one that cannot be read."""
    import onnx
    from google.protobuf.message import DecodeError

    try:
        proto = onnx.ModelProto.FromString(path.read_bytes())
    except (DecodeError, OSError):
        return False
    return proto.HasField("graph") and embedded_manifest(proto, path) is None


def kept(path: Path) -> Artifact | None:
    """A file that lies as ``save`` wrote it, by the digest in its sidecar; else None.

    Guards against damage, not against a forger, and needs no ONNX library: for files of our own.
    """
    artifact = told(path)
    try:
        return artifact if artifact and artifact.sha256 == file_digest(path) else None
    except OSError:
        return None


def told(path: Path) -> Artifact | None:
    """What the sidecar of a file tells, without a look at the file; None where it tells nothing."""
    try:
        record = json.loads(sidecar(path).read_bytes())
        name, sha256 = record.pop("file"), str(record.pop("sha256"))
        manifest = _MANIFEST.validate_python(manifest_schema_1.upgraded(record), strict=False)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
    return Artifact(path, sha256, manifest) if name == path.name else None


def file_digest(path: Path) -> str:
    """sha256 of a whole file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def read_file(path: Path, most: int = -1) -> bytes:
    """The first bytes of a file, or all of them. Raises HifiError where there is none."""
    try:
        with path.open("rb") as file:
            return file.read(most)
    except OSError as error:
        raise HifiError(f"cannot read {path}: {error.strerror}: give an existing file") from None


def embedded_manifest(proto: "onnx.ModelProto", path: Path) -> Manifest | None:
    """The manifest inside a file, or None where it has none: of another tool, or simplified by one.

    Raises:
        HifiError: a manifest of another schema, a damaged one, or none in a file of ours that
            was cut.
    """
    texts = [entry.value for entry in proto.metadata_props if entry.key == METADATA_KEY]
    if not texts:
        if proto.producer_name == PRODUCER and _is_cut(proto):
            raise HifiError(f"{path} is truncated: export it again")
        return None
    try:
        record = manifest_schema_1.upgraded(json.loads(texts[0]))
        manifest = _MANIFEST.validate_python(record, strict=False)
    except (ValidationError, ValueError, KeyError, TypeError, AttributeError):
        raise HifiError(
            f"the manifest in {path} is damaged or of another version than {VERSION}: "
            "export it again"
        ) from None
    if manifest.schema != SCHEMA:
        raise HifiError(
            f"the manifest in {path} has schema {manifest.schema}, this version reads {SCHEMA}: "
            "export it again"
        )
    return manifest


def _is_cut(proto: "onnx.ModelProto") -> bool:
    """Whether a file ends between two entries, which still parses, and lacks more than metadata.

    Entries are written in the order of their numbers: the graph, which is whole or does not parse,
    then the opsets that it needs, then the metadata.
    """
    imported = {entry.domain or "ai.onnx" for entry in proto.opset_import}
    needed = {node.domain or "ai.onnx" for node in proto.graph.node}
    return not proto.graph.node or not needed <= imported


def is_intact(proto: "onnx.ModelProto", manifest: Manifest) -> bool:
    """Whether neither the graph nor the manifest changed since the file was sealed."""
    held = {entry.key: entry.value for entry in proto.metadata_props}
    seal = hashlib.sha256(held[METADATA_KEY].encode()).hexdigest()
    return held.get(SEAL_KEY) == seal and manifest.graph_digest == graph_digest(proto)


def graph_digest(proto: "onnx.ModelProto") -> str:
    """sha256 of a file without its metadata."""
    import onnx

    bare = onnx.ModelProto()
    bare.CopyFrom(proto)
    del bare.metadata_props[:]
    return hashlib.sha256(bare.SerializeToString(deterministic=True)).hexdigest()


def ports(
    values: "Iterable[onnx.ValueInfoProto]",
) -> tuple[Port, ...]:
    """Names and shapes of a graph's inputs or outputs."""
    return tuple(
        Port(
            value.name,
            tuple(dim.dim_param or dim.dim_value for dim in value.type.tensor_type.shape.dim),
        )
        for value in values
    )


def tools() -> dict[str, str]:
    """Versions of what an exported file depends on."""
    from importlib.metadata import version

    libraries = ("torch", "onnx", "onnx-ir", "numpy")
    return {"hifi-export": VERSION, **{library: version(library) for library in libraries}}
