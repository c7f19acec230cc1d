"""One way through: build, fold, trace, check, lower, lessen precision, verify, save.

What each step promises is checked after it.
"""

import copy
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from export import artifact, atomic
from export.request import ExportRequest

if TYPE_CHECKING:
    from export.fold import FoldReport
    from export.verify import Verification
    from hifigan_ref.trained import Trained


@dataclass(frozen=True)
class Exported:
    """A new file and how well it was made.

    Attributes:
        artifact: the file.
        folding: what was folded, with its error.
        verification: the worst output against PyTorch.
    """

    artifact: artifact.Artifact
    folding: "FoldReport"
    verification: "Verification"


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
    from export.contract import check_graph, check_lowered, check_precise
    from export.fold import fold
    from export.interface import interface
    from export.lowering.lower import lower
    from export.precision.apply import apply
    from export.precision.layers import resolve
    from export.to_onnx import to_onnx
    from export.verify import verify
    from hifigan_ref.norms import norm_of
    from hifigan_ref.trained import convolutions

    atomic.check_writable(path.parent)
    folded = copy.deepcopy(trained.module)
    normed = [norm_of(conv) != "none" for conv in convolutions(folded).values()]
    report = fold(folded)
    assert report.weight_norm + report.spectral_norm == sum(normed), "not every norm was folded"
    model = to_onnx(folded, request)
    check_graph(model, request)
    layers = resolve(model, request.precision, request.variant)
    forms = request.lowering.forms(request.variant)
    if forms:
        model = lower(model, forms)
        check_lowered(model, request)
    if set(layers.values()) != {"fp32"}:
        model = apply(model, layers, request.precision)
        check_precise(model, request, layers)
    manifest, content = artifact.seal(model, request, trained)
    verification = verify(content, request, interface(trained.module, request))
    return Exported(artifact.save(path, manifest, content, durable), report, verification)
