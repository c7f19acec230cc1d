"""How much each layer of a file adds to its error: one layer at a time in the file's precision.

The graph is written anew from the weights with that layer alone in its precision, and run on speech
beside the same graph in float32.
"""

from dataclasses import replace
from typing import TYPE_CHECKING

from bench.hole import Skipped
from bench.parity.cases import ITEMS
from bench.parity.report import LayerNoise
from export.artifact import Artifact
from export.cache import cached_export
from export.precision.calibration import CLIP
from hifigan_ref.audio import Recording
from hifigan_ref.source import Source
from hifigan_ref.variant import Variant

if TYPE_CHECKING:
    from export.precision.noise import Noise, Place

SAME = Skipped("every layer is in float32")


def layer_noise(
    file: Artifact, weights: Source, recording: Recording
) -> tuple[LayerNoise, ...] | Skipped:
    """The layers that are not in float32, in the order of the graph.

    Args:
        file: of ours.
        weights: that it was made from.
        recording: speech.
    """
    import onnx_ir as ir

    from export.precision.feeds import length_of
    from export.precision.layers import resolve
    from export.precision.material import prepare, suiting
    from export.precision.noise import Meter, contributions, together

    held = file.manifest
    variant = Variant.parse(held.variant)
    plan = replace(held.precision, io="float32")
    if plan.is_float32:
        return SAME
    if "int8" not in plan.held:
        plan = replace(plan, calibration=CLIP)  # its audio was heard when the file was made
    elif plan.calibration != CLIP:
        return Skipped(f"its ranges are of {plan.calibration}, which the file does not hold")
    request = file.request
    model = ir.load(cached_export(request, weights.identity, weights.build).path)
    layers = resolve(model, plan, variant)
    material = prepare(model, layers, plan, suiting(held.lowering.forms(variant)))
    speech = recording.loudest_first().sounding(ITEMS, length_of(model))
    meter = Meter(material.graph, (speech,))
    parts = contributions(meter, material, layers)
    sum_ = together(parts)
    place = max(sum_, key=lambda place: sum_[place])
    return tuple(_row(name, layers[name], part, place, sum_[place]) for name, part in parts.items())


def _row(name: str, precision: str, part: "Noise", place: "Place", total: float) -> LayerNoise:
    worst = max(part, key=lambda place: part[place])
    share = part[place] / total if total > 0 else 0.0
    return LayerNoise(name, precision, part[worst], worst[0], place[0], share)
