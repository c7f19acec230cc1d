"""One way through: build, fold, trace, check, lower, lessen precision, verify, save.

What each step promises is checked after it.
"""

import copy
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from export import artifact, atomic
from export.request import ExportRequest

if TYPE_CHECKING:
    import onnx_ir as ir

    from export.fold import FoldReport
    from export.precision.layers import Layers
    from export.precision.loudness import Loudness
    from export.precision.material import Part
    from export.verify import Verification
    from hifigan_ref.trained import Trained


@dataclass(frozen=True)
class Exported:
    """A new file and how well it was made.

    Attributes:
        artifact: the file.
        folding: what was folded, with its error.
        verification: the worst output against PyTorch.
        held: what each of its layers computes in, by name.
    """

    artifact: artifact.Artifact
    folding: "FoldReport"
    verification: "Verification"
    held: Mapping[str, str]


def export_onnx(
    request: ExportRequest, trained: "Trained", path: Path, durable: bool = True
) -> Exported:
    """Export a network to ``path`` and its manifest beside it; on any error write nothing.

    Args:
        request: what to export.
        trained: the network.
        path: where to.
        durable: wait until the disk has it.

    Raises:
        HifiError: the weights cannot be folded, the graph is refused, or the path is not writable.
    """
    from export.contract import check_graph
    from export.fold import fold
    from export.interface import interface
    from export.precision.held import held
    from export.to_onnx import to_onnx
    from export.verify import demand_memory, verify
    from hifigan_ref.norms import norm_of
    from hifigan_ref.trained import convolutions

    atomic.check_writable(path.parent)
    demand_memory(request)
    folded = copy.deepcopy(trained.module)
    normed = [norm_of(conv) != "none" for conv in convolutions(folded).values()]
    report = fold(folded, trained.variant)
    assert report.weight_norm + report.spectral_norm == sum(normed), "not every norm was folded"
    model = to_onnx(folded, request)
    check_graph(model, request)
    judged = judged_by(model, request)
    model, request = rewritten(model, request)
    content = artifact.bare(model)
    verification = verify(content, request, interface(trained.module, request))
    runtimes, not_asked = verification.runtimes, verification.not_asked
    manifest, content = artifact.seal(content, request, trained, runtimes, not_asked, judged)
    saved = artifact.save(path, manifest, content, durable)
    return Exported(saved, report, verification, held(model))


def judged_by(model: "ir.Model", request: ExportRequest) -> "Loudness | None":
    """Loudness of the speech that decides about the layers of a request."""
    from export.precision.feeds import takes_speech
    from export.precision.judges import loudness

    plan = request.precision
    if not plan.yields or plan.used(request.variant) == ("fp32",) or not takes_speech(model):
        return None
    return loudness(plan.calibration)


def _apart(model: "ir.Model", asked: "Layers", request: ExportRequest) -> ExportRequest:
    """Names the forms of layers that are not written plainly though no plan names them."""
    from export.builder import shape_of
    from export.lowering.convolution import is_convolution, read
    from export.lowering.rule import form_text
    from export.lowering.unplanned import unplanned

    told = request.lowering.forms(request.variant)
    forms = {
        node.name or "": unplanned(read(node), shape_of(node.outputs[0]), asked[node.name or ""])
        for node in model.graph
        if is_convolution(node) and node.name not in told
    }
    named = {request.variant.in_plans(n): form_text(form) for n, form in forms.items() if form}
    layers = {**request.lowering.layers, **named}
    return replace(request, lowering=replace(request.lowering, layers=layers)) if named else request


def rewritten(
    model: "ir.Model", request: ExportRequest, part: "Part | None" = None
) -> "tuple[ir.Model, ExportRequest]":
    """The graph in other forms and precisions; the request also names layers that kept float32.

    Args:
        model: plain, in float32.
        request: how it is to be written.
        part: makes what is written of the plain graph; what decides hears the whole one.

    Raises:
        HifiError: a form or a precision is refused, or the result breaks the contract.
    """
    from export.contract import check_lowered, check_part, check_precise
    from export.lowering.lower import lower
    from export.precision.keep import keep
    from export.precision.layers import resolve, stated
    from export.precision.material import prepare, suiting, write
    from export.precision.plan import FP32

    asked = resolve(model, request.precision, request.variant)
    request = _apart(model, asked, request)
    forms = request.lowering.forms(request.variant)
    if set(asked.values()) <= {"fp32"}:
        model = part(model) if part else model
        if forms:
            model = lower(model, forms)
            (check_part if part else check_lowered)(model, request)
        lowering = request.lowering.settled(request.variant, ())
        return model, replace(request, precision=FP32, lowering=lowering)
    material = prepare(model, asked, request.precision, suiting(forms))
    named = request.precision.named(request.variant)
    yields = request.precision.yields
    layers = keep(material, asked, request.budget_db, named) if yields else asked
    back = [name for name, precision in layers.items() if precision != asked[name]]
    lowering = request.lowering.settled(request.variant, back)
    request = replace(request, lowering=lowering)
    material = replace(material, forms=suiting(lowering.forms(request.variant)))
    model = write(material, layers, part)
    (check_part if part else check_precise)(model, request, layers)
    plan = stated(request.precision, request.variant, asked, layers)
    return model, replace(request, precision=plan)
