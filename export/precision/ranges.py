"""What a graph's tensors hold on calibration audio, and which range of it to quantize.

A range that holds every value wastes its 256 steps on a few: the range with the least square error
cuts them off. For n values, of which those between a and b are rounded in steps of q,

    error = sum over x < a of (a - x)^2 + sum over x > b of (x - b)^2 + n_inside q^2 / 12

(Bennett's q^2 / 12 for the rounding), which sorted values with running sums give at once.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from export.precision.calibration import Segment

FRACTIONS = np.geomspace(1, 0.02, 60)  # of the largest value
MOST = 2**16  # values of a tensor and segment
STEPS = {"uint8": 255, "int8": 254}

Floats = NDArray[np.floating]


@dataclass(frozen=True)
class Range:
    """Ends of what is quantized; 0 is within."""

    low: float
    high: float


def best_range(values: Floats, symmetric: bool) -> Range:
    """The range with the least square error of all that keep 0."""
    x = np.sort(values.astype(np.float64), axis=None)
    sums = np.concatenate([[0.0], np.cumsum(x)])
    squares = np.concatenate([[0.0], np.cumsum(np.square(x))])
    reach = max(-x[0], x[-1], 1e-12)
    if symmetric:
        high = reach * FRACTIONS
        low = -high
    else:
        low, high = (
            each.ravel()
            for each in np.meshgrid(min(x[0], 0.0) * FRACTIONS, max(x[-1], 1e-12) * FRACTIONS)
        )
    i, j = np.searchsorted(x, low), np.searchsorted(x, high)
    below = squares[i] - 2 * low * sums[i] + np.square(low) * i
    above = (
        (squares[-1] - squares[j])
        - 2 * high * (sums[-1] - sums[j])
        + np.square(high) * (x.size - j)
    )
    steps = STEPS["int8" if symmetric else "uint8"]
    cost = below + above + (j - i) * np.square((high - low) / steps) / 12
    best = int(cost.argmin())
    return Range(float(low[best]), float(high[best]))


def thinned(values: Floats) -> Floats:
    """Evenly spread ones of them, ``MOST`` or fewer."""
    flat = values.reshape(-1)
    return flat[:: -(-flat.size // MOST)]


def values(
    model: ir.Model, names: Sequence[str], segments: Sequence[Segment]
) -> Iterator[Mapping[str, Floats]]:
    """What tensors of a graph hold, by name, a segment at a time.

    Args:
        model: that onnxruntime runs.
        names: of tensors, inputs included.
        segments: (1, 1, T) each, for every input.
    """
    import onnxruntime as ort

    ort.set_default_logger_severity(3)
    told = ir.from_proto(ir.to_proto(model))
    known = {value.name: value for node in told.graph for value in node.outputs}
    outputs = {value.name for value in told.graph.outputs}
    inputs = [value.name for value in told.graph.inputs]
    inner = [name for name in dict.fromkeys(names) if name not in inputs]
    told.graph.outputs.extend(known[name] for name in inner if name not in outputs)
    content = ir.to_proto(told).SerializeToString()
    session = ort.InferenceSession(content, providers=["CPUExecutionProvider"])
    for segment in segments:
        feed = dict.fromkeys(inputs, segment)
        arrays = dict(zip(inner, session.run(inner, feed) if inner else (), strict=True))
        yield {name: feed[name] if name in feed else arrays[name] for name in names}
