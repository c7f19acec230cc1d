"""What was made and what was found, as lines for a terminal."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from export.artifact import Port
from export.describe import (
    CheckpointDescription,
    Description,
    OnnxDescription,
    told_calibration,
)
from export.runtimes import NotAsked, Verified
from hifigan_ref.network import BATCH, Sizes, in_words

if TYPE_CHECKING:
    from export.artifact import Manifest
    from export.engine.file import EngineFile
    from export.pipeline import Exported
    from export.store import Entry
    from export.verify import Verification

UNKNOWN = "-"
DIGEST = {True: "fits its manifest", False: "DOES NOT FIT its manifest", None: "has no manifest"}


def export_line(exported: "Exported") -> str:
    """One line for a new file."""
    manifest, folding = exported.artifact.manifest, exported.folding
    worst = exported.verification
    norms = folding.weight_norm + folding.spectral_norm
    return (
        f"{exported.artifact.path}  opset {manifest.opset}; {manifest.precision.name}"
        f"{_back(exported)}; {norms} "
        f"norms folded, largest error {folding.max_relative_error:.1e}; worst output "
        f"{worst.output}, {_distance(worst)}{_budget(manifest)}; "
        f"verified {verified_in(manifest.verified, manifest.not_asked, manifest.sizes)}"
        + (f"; {manifest.stream}" if manifest.stream else "")
    )


def _back(exported: "Exported") -> str:
    """How many layers stayed in float32 where others did not."""
    back = sum(each == "fp32" for each in exported.held.values())
    if exported.artifact.manifest.precision.is_float32 or not back:
        return ""
    return f"; float32 in {back} of {len(exported.held)} layers"


def _budget(manifest: "Manifest") -> str:
    if manifest.precision.is_float32:
        return ""
    speech = f", kept on the calibration speech at {manifest.judged}" if manifest.judged else ""
    return f"; budget {manifest.budget_db:g} dB{speech}"


def verified_in(
    runtimes: Sequence[Verified], not_asked: NotAsked | None, fixed: Sizes | None = None
) -> str:
    """``in onnxruntime 1.31.1 and openvino 2026.4.1 from 1 sample up``; ``at`` fixed lengths."""
    shortest: dict[str, list[str]] = {}
    for each in runtimes:
        free = each.smallest.keys() - {BATCH, *(fixed or {})}
        lengths = f"from {in_words(each.smallest)} up" if free else f"at {in_words(each.smallest)}"
        shortest.setdefault(lengths, []).append(f"{each.runtime} {each.version}")
    told = [f"in {' and '.join(names)} {lengths}" for lengths, names in shortest.items()]
    missed = f"; {not_asked.target} was not asked: {not_asked.reason}" if not_asked else ""
    return f"{', '.join(told) or UNKNOWN}{missed}"


def _distance(worst: "Verification") -> str:
    if worst.promised_db is None:
        return f"{worst.snr_db:.0f} dB from PyTorch"
    return f"{worst.snr_db:.1f} dB from PyTorch in float64"


def engine_line(engine: "EngineFile") -> str:
    """One line for an engine."""
    manifest = engine.manifest
    return (
        f"{engine.path}  {manifest.builder}; {manifest.precision}; {engine.bytes / 1e6:.0f} MB; "
        f"{manifest.profile}; "
        f"for {', '.join(manifest.targets) or manifest.gpu or 'every GPU the library supports'}"
    )


def cache_lines(folder: Path, entries: "list[Entry]") -> list[str]:
    """What is kept, an entry a line, and the sum."""
    total = sum(entry.bytes for entry in entries) / 1e6
    listed = [
        f"{entry.kind:<8}{entry.bytes / 1e6:>8.1f} MB  "
        f"{_when(entry.modified)}  {', '.join(entry.files)}"
        for entry in entries
    ]
    return [*listed, f"{len(entries)} entries, {total:.0f} MB in {folder}"]


def _when(seconds: float) -> str:
    return f"{datetime.fromtimestamp(seconds, UTC).astimezone():%Y-%m-%d %H:%M}"


def lines(found: Description) -> list[str]:
    """A description, a fact a line."""
    if isinstance(found, OnnxDescription):
        return _onnx(found)
    return _checkpoint(found) if isinstance(found, CheckpointDescription) else _engine(found)


def _onnx(found: OnnxDescription) -> list[str]:
    flops = found.flops_per_element
    return [
        f"file: {found.file}, {DIGEST[found.intact]}",
        f"network: {found.variant or UNKNOWN}",
        f"weights: {found.weights or UNKNOWN}",
        f"opset: {_pairs(found.opset)} (file format {found.ir_version})",
        f"producer: {found.producer or UNKNOWN}",
        f"parameters: {found.parameters:,}",
        f"FLOPs per element of the inputs: {UNKNOWN if flops is None else format(flops, ',.0f')}",
        f"precision: {_told(found.precision, found.budget_db, found.calibration, found.judged)}",
        f"verified: {verified_in(found.verified, found.not_asked)}",
        f"streaming: {found.streaming or UNKNOWN}",
        *_by_value("layers in", found.convolutions),
        f"operators: {_pairs(found.operators)}",
        *(f"input: {_port(port)}" for port in found.inputs),
        *(f"output: {_port(port)}" for port in found.outputs),
    ]


def _engine(found: "EngineFile") -> list[str]:
    manifest = found.manifest
    plan = manifest.plan
    told = _told(manifest.precision, manifest.budget_db, told_calibration(plan))
    return [
        f"file: {found.path.name}, {DIGEST[True]}",
        f"network: {manifest.variant}",
        f"weights: {manifest.weights}",
        f"built by: {manifest.builder}, from {manifest.onnx}",
        f"for: {', '.join(manifest.targets) or manifest.gpu or 'every GPU the library supports'}",
        f"precision: {told}",
        *([f"other layers in: {plan.base}"] if plan.layers else []),
        *_by_value("layers in", plan.layers),
        f"profile: {manifest.profile}",
        *(f"input: {_port(port)}" for port in manifest.inputs),
        *(f"output: {_port(port)}" for port in manifest.outputs),
        f"built again by: {manifest.rebuild}",
    ]


def _told(precision: str, budget_db: float | None, calibration: str, judged: str = "") -> str:
    budget = "" if budget_db is None else f", budget {budget_db:g} dB"
    budget += judged and f", kept on the calibration speech at {judged}"
    return (precision or UNKNOWN) + budget + (calibration and f", calibration: {calibration}")


def _by_value(words: str, found: Mapping[str, str]) -> list[str]:
    """Names by what they have, a line for each: how many where all have the same."""
    values = dict.fromkeys(found.values())
    if len(values) == 1:
        return [f"{words} {value}: {len(found)}" for value in values]
    return [
        f"{words} {value}: {', '.join(name for name, own in found.items() if own == value)}"
        for value in values
    ]


def _checkpoint(found: CheckpointDescription) -> list[str]:
    steps = UNKNOWN if found.steps is None else format(found.steps, ",")
    return [
        f"file: {found.file}, {found.container} container, keys{_wrappers(found.prefixes)}",
        f"layout: {found.layout} (keys cannot tell it from its look-alikes)",
        f"steps: {steps}",
        *(
            f"member: {member.name}, {member.parameters:,} parameters, layers by norm: "
            f"{_pairs(member.norms)}"
            for member in found.members
        ),
        *(f"note: {note}" for note in found.notes),
    ]


def _wrappers(prefixes: Mapping[str, str]) -> str:
    """What the keys have in front, of each family where they differ."""
    told = {
        family: f"with {each}" if each else "without module." for family, each in prefixes.items()
    }
    if len(set(told.values())) == 1:
        return f" {next(iter(told.values()))}"
    return ": " + ", ".join(f"{family} {each}" for family, each in told.items())


def _port(port: Port) -> str:
    return f"{port.name} ({', '.join(map(str, port.shape))})"


def _pairs(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {count}" for name, count in counts.items())
