"""What is in this file? An ONNX graph, an engine or a training checkpoint, in records."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING

from export import artifact, onnx_file
from export.engine import file as engine_file
from export.precision.plan import PrecisionPlan
from export.runtimes import NotAsked, Verified
from hifigan_ref import container
from hifigan_ref.errors import HifiError, in_one_line

if TYPE_CHECKING:
    import onnx
    import onnx_ir as ir

    from hifigan_ref.checkpoint import Checkpoint

QUANTIZERS = ("DequantizeLinear", "QuantizeLinear")
FLOATING_POINT = ("FLOAT16", "BFLOAT16", "FLOAT", "DOUBLE")
LONG = 2**12  # elements of an axis beside which a padding is short
FOREIGN = ("Conv", "ConvTranspose")  # another tool's MatMul may be no convolution


@dataclass(frozen=True)
class OnnxDescription:
    """An ONNX file.

    Attributes:
        file: its name.
        intact: whether the digest in the manifest fits; None without a manifest.
        variant: from the manifest; "" without one.
        weights: from the manifest; "" without one.
        opset: by domain.
        ir_version: of the file format.
        producer: tool and version.
        inputs: in order.
        outputs: in order.
        operators: how many nodes of each type.
        parameters: number of values in floating-point initializers.
        flops_per_element: floating-point operations for each element of the inputs, at typical
            lengths and a single item; None where the graph is not one of ours.
        precision: what was asked for, from the manifest; "" without one.
        budget_db: least SNR of the worst output, dB, from the manifest; None without one.
        judged: loudness of the speech that the budget was kept on; "" where none was heard.
        calibration: audio that decided ranges or reach; "" where none did.
        convolutions: what each computes in, read from the graph, by name of its node.
        verified: runtimes that computed what PyTorch does, from the manifest.
        not_asked: why the one that it is for is not among them; None where it is.
        streaming: context of a part of its outputs, or why there is none that is finite.
    """

    file: str
    intact: bool | None
    variant: str
    weights: str
    opset: Mapping[str, int]
    ir_version: int
    producer: str
    inputs: tuple[artifact.Port, ...]
    outputs: tuple[artifact.Port, ...]
    operators: Mapping[str, int]
    parameters: int
    flops_per_element: float | None
    precision: str
    budget_db: float | None
    calibration: str
    convolutions: Mapping[str, str]
    judged: str = ""
    verified: tuple[Verified, ...] = ()
    not_asked: NotAsked | None = None
    streaming: str = ""


@dataclass(frozen=True)
class MemberDescription:
    """One discriminator of a checkpoint.

    Attributes:
        name: ``mpd-11``.
        norms: how many layers have each norm.
        parameters: number of values, norms' vectors not counted.
    """

    name: str
    norms: Mapping[str, int]
    parameters: int


@dataclass(frozen=True)
class CheckpointDescription:
    """A training checkpoint.

    Attributes:
        file: its name.
        layout: whose mathematics the keys are taken for.
        container: ``zip``, ``legacy`` or ``safetensors``.
        prefixed: whether keys hold wrappers (``module.``, ``_orig_mod.``).
        prefixes: those of each family, or "".
        steps: training steps, or None.
        members: every discriminator it holds.
        notes: what a user must know of what else is in the file.
    """

    file: str
    layout: str
    container: str
    prefixed: bool
    prefixes: Mapping[str, str]
    steps: int | None
    members: tuple[MemberDescription, ...]
    notes: tuple[str, ...]


Description = OnnxDescription | CheckpointDescription | engine_file.EngineFile


def describe(path: Path) -> Description:
    """Read a file, by its ending or else by how it begins.

    Raises:
        HifiError: it is none of these, or an engine that was changed.
    """
    if path.suffix == engine_file.SUFFIX:
        return engine_file.load(path)
    if path.suffix == container.SAFETENSORS_SUFFIX:
        return describe_checkpoint(path)
    if path.suffix != ".onnx" and container.is_known(artifact.read_file(path, container.HEAD)):
        return describe_checkpoint(path)
    return describe_onnx(path)


def as_record(found: Description) -> dict[str, object]:
    """A description as JSON can hold it."""
    return found.describe() if isinstance(found, engine_file.EngineFile) else asdict(found)


def describe_onnx(path: Path) -> OnnxDescription:
    """Read an ONNX file, of this tool or another.

    Raises:
        HifiError: missing, truncated or no ONNX file.
    """
    from export.precision.held import held

    proto = onnx_file.parse(path, artifact.read_file(path))
    if not proto.graph.node:
        raise HifiError(f"{path} holds no ONNX graph: give another file")
    manifest = artifact.embedded_manifest(proto, path)
    model = _to_ir(proto, path)
    return OnnxDescription(
        file=path.name,
        intact=artifact.is_intact(proto, manifest) if manifest else None,
        variant=manifest.variant if manifest else "",
        weights=manifest.weights if manifest else "",
        opset={entry.domain or "ai.onnx": entry.version for entry in proto.opset_import},
        ir_version=proto.ir_version,
        producer=f"{proto.producer_name} {proto.producer_version}".strip(),
        inputs=artifact.ports(proto.graph.input),
        outputs=artifact.ports(proto.graph.output),
        operators=dict(sorted(Counter(node.op_type for node in proto.graph.node).items())),
        parameters=_parameters(proto),
        flops_per_element=_flops_per_element(model, manifest),
        precision=manifest.precision.name if manifest else "",
        budget_db=manifest.budget_db if manifest else None,
        judged=str(manifest.judged or "") if manifest else "",
        calibration=_calibration(model, manifest.precision) if manifest else "",
        convolutions=held(model) if manifest else held(model, FOREIGN),
        verified=manifest.verified if manifest else (),
        not_asked=manifest.not_asked if manifest else None,
        streaming=_streaming(model, manifest),
    )


def _streaming(model: "ir.Model", manifest: artifact.Manifest | None) -> str:
    from export.stream_record import sides_in_words
    from export.streaming.context import context_of
    from export.streaming.field import NoTimeError
    from hifigan_ref.module_spec import is_module
    from hifigan_ref.variant import Variant

    if manifest and manifest.stream:
        return f"{manifest.stream}; worst chunk {manifest.stream.snr_db:g} dB from the whole"
    try:
        found = context_of(model)
    except NoTimeError:
        return ""
    except HifiError as error:
        return f"no finite context: {error}"
    unit_s = None
    if manifest and not is_module(manifest.variant):
        unit_s = Variant.parse(manifest.variant).signature.axes[found.unit].unit_s
    return sides_in_words(found.left, found.right, found.unit, unit_s)


def told_calibration(plan: PrecisionPlan) -> str:
    """What audio decided something about a graph, or "".

    A manifest also names the layers that stayed in float32; a plan that named them has an origin.
    """
    named = {name: each for name, each in plan.layers.items() if plan.origin or each != "fp32"}
    return str(plan.calibration) if replace(plan, layers=named).calibrated else ""


def _calibration(model: "ir.Model", plan: PrecisionPlan) -> str:
    from export.precision.feeds import takes_speech

    told = told_calibration(plan)
    return told if not told or takes_speech(model) else "seeded noise"


def _parameters(proto: "onnx.ModelProto") -> int:
    """How many values are weights or biases: a scale is none, what it scales is."""
    import onnx

    kinds = {onnx.TensorProto.DataType.Value(name) for name in FLOATING_POINT}
    quantizers = [node for node in proto.graph.node if node.op_type in QUANTIZERS]
    scales = {node.input[1] for node in quantizers}
    scaled = {node.input[0] for node in quantizers}
    return sum(
        prod(tensor.dims)
        for tensor in proto.graph.initializer
        if tensor.name in scaled or (tensor.data_type in kinds and tensor.name not in scales)
    )


def _to_ir(proto: "onnx.ModelProto", path: Path) -> "ir.Model":
    import onnx_ir as ir

    try:
        return ir.from_proto(proto)
    # A file of any tool: whatever the reader stumbles over, the file is what is wrong.
    except Exception as error:  # noqa: BLE001
        raise HifiError(
            f"{path} holds no valid ONNX graph ({in_one_line(error)}): give another file"
        ) from None


def describe_checkpoint(path: Path) -> CheckpointDescription:
    """Read a training checkpoint.

    Raises:
        HifiError: as ``read_checkpoint``.
    """
    from hifigan_ref.checkpoint import read_checkpoint

    checkpoint = read_checkpoint(path)
    members = [m for family in checkpoint.families for m in _members(checkpoint, family)]
    return CheckpointDescription(
        checkpoint.name,
        checkpoint.layout,
        checkpoint.container,
        checkpoint.prefixed,
        checkpoint.prefixes,
        checkpoint.steps,
        tuple(members),
        checkpoint.notes,
    )


def _members(checkpoint: "Checkpoint", family: str) -> list[MemberDescription]:
    from hifigan_ref.variant import Variant, find_network

    described = []
    network = find_network(family)
    places = network.scopes(network.parts).items()
    roots: list[tuple[str | None, str]] = [(part, f"{place}.") for part, place in places]
    for member, root in roots or [(None, "")]:
        layers = [v for path, v in checkpoint.families[family].items() if path.startswith(root)]
        norms = dict(Counter(str(layer.norm) for layer in layers))
        counted = [
            tensor.numel()
            for layer in layers
            for name, tensor in layer.tensors.items()
            if not name.endswith(("_u", "_v"))
        ]
        described.append(MemberDescription(str(Variant(family, member)), norms, sum(counted)))
    return described


def _flops_per_element(model: "ir.Model", manifest: artifact.Manifest | None) -> float | None:
    from export.layers import count_layers
    from export.request import ExportRequest
    from hifigan_ref.module_spec import is_module
    from hifigan_ref.network import BATCH, Sizes
    from hifigan_ref.variant import Variant

    if manifest is None:
        return None
    if is_module(manifest.variant):  # whose code is not run to look at a file
        long = {name: max(least, LONG) for name, least in manifest.smallest.items()}
        sizes: Sizes = {**long, BATCH: 1, **manifest.sizes}
    else:
        request = ExportRequest(Variant.parse(manifest.variant), sizes=manifest.sizes)
        sizes = request.sized({BATCH: 1})
    total = sum(layer.flops for layer in count_layers(model, sizes))
    inputs = [[sizes[n] if isinstance(n, str) else n for n in p.shape] for p in manifest.inputs]
    return total / sum(map(prod, inputs))
