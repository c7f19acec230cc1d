"""A form of a layer at widths shorter than its taps, in a runtime: some are wrong there alone."""

from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from bench.geometry import Geometry
from bench.tune.layer_file import OUTPUT, exact, of_layer
from export.artifact import bare
from export.lowering.rule import Form
from export.request import DEFAULT_OPSET
from export.runtimes import Runtime
from export.sums import ratio_db
from export.verify import MIN_SNR_DB
from hifigan_ref import network
from hifigan_ref.errors import named
from hifigan_ref.network import SAMPLES

WIDTHS = (1, 2, 3, 4, 5, 8, 13)
BATCH = 2


def short_file(geometry: Geometry, form: Form, width: int | None = None) -> bytes:
    """The layer in a form, its activation included, on x of any width, or of one.

    Raises:
        HifiError: a rewrite refuses the layer.
    """
    import onnx_ir as ir

    from export.lowering.layouts import Graph

    graph = Graph()
    _, channels, _, *rest = geometry.shape
    axes = (network.BATCH, SAMPLES) if width is None else (BATCH, width)
    x = ir.val("x", graph.real, (axes[0], channels, axes[1], *rest))
    return bare(of_layer(graph, x, x, geometry, form, DEFAULT_OPSET))


def worst_db(
    runtime: Runtime,
    geometry: Geometry,
    form: Form,
    widths: Sequence[int] = WIDTHS,
    fixed: bool = False,
) -> tuple[float, int]:
    """The least SNR beside float64, dB, and its width; (inf, 0) where no width has an output.

    Args:
        runtime: that computes.
        geometry: of the layer; its own width does not matter.
        form: how it is written.
        widths: of the input.
        fixed: whether the runtime is told each of them ahead.

    Raises:
        HifiError: a rewrite refuses the layer.
        Exception: whatever the runtime raises.
    """
    run = None if fixed else runtime.open(short_file(geometry, form))
    found = [(np.inf, 0)]
    for width in widths:
        _, channels, _, *rest = geometry.shape
        here = replace(geometry, shape=(BATCH, channels, width, *rest))
        conv = geometry.convolution()
        outputs = conv.length(conv.axis or 0, width)
        if not outputs or outputs < 1:
            continue
        noise, expected = _reference(here)
        compute = run or runtime.open(short_file(geometry, form, width))
        found.append((ratio_db(expected, compute({"x": noise}).get(OUTPUT)), width))
    return min(found)


@lru_cache(maxsize=64)
def _reference(geometry: Geometry) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
    """Noise, and what the layer makes of it: the same for every form and runtime."""
    noise = np.random.default_rng(1).standard_normal(geometry.shape, dtype=np.float32)
    return noise, exact(geometry, noise)


def why_wrong(runtime: Runtime, geometry: Geometry, form: Form) -> str | None:
    """Why a form must not be used in a runtime; None where it is right at every width."""
    try:
        ratio, width = worst_db(runtime, geometry, form)
    except Exception as error:  # noqa: BLE001 - runtimes fail in types of their own
        return named(error)
    if ratio >= MIN_SNR_DB:
        return None
    return f"{ratio:.1f} dB on a width of {width} in {runtime.name} {runtime.version}"
