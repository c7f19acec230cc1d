"""A layer alone in a file: what the network has, whatever its form."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import onnx_ir as ir
import onnxruntime as ort
import pytest

from bench.geometry import Geometry
from bench.tune import layer_file
from bench.tune.forms import forms_of
from export import artifact
from export.evaluate import evaluate
from export.layers import count_layers
from export.lowering.rule import Form
from export.verify import snr_db
from hifigan_ref.errors import HifiError

SCALE = Geometry((2, 16, 60), (16, 32), (41,), (2,), (1,), (20,), (20,), 4, 0.125)
PERIOD = Geometry((2, 4, 23, 3), (4, 8), (5, 1), (3, 1), (1, 1), (2, 0), (2, 0), 1, None)
EXACT = 1e-6  # of the root mean square: weights in float32 are all that is rounded

each_layer = pytest.mark.parametrize("geometry", [SCALE, PERIOD], ids=["scale", "period"])


def noise(geometry: Geometry) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    batch, *item = geometry.shape
    shape = (batch, 1, int(np.prod(item)))
    return np.random.default_rng(0).standard_normal(shape, dtype=np.float32)


@each_layer
def test_the_plain_layer_is_exact(geometry: Geometry) -> None:
    y = noise(geometry)
    (found,) = evaluate(layer_file.layer_graph(geometry, ()), {"y": y}).values()
    expected = layer_file.exact(geometry, y)
    assert found.shape == expected.shape
    assert np.abs(found - expected).max() <= 1e-12 * np.sqrt(np.square(expected).mean())


@each_layer
def test_every_form_that_is_tried_computes_the_layer(geometry: Geometry) -> None:
    y = noise(geometry)
    expected = layer_file.exact(geometry, y)
    tried = 0
    for form in forms_of(geometry):
        try:
            model = layer_file.layer_graph(geometry, form)
        except HifiError:
            continue
        tried += 1
        proto = ir.to_proto(model)
        onnx.checker.check_model(proto, full_check=True)
        single = ort.InferenceSession(proto.SerializeToString())
        (rounded,) = single.run(None, {"y": y})
        assert snr_db(expected, rounded) >= 110, form
        (found,) = evaluate(model, {"y": y}).values()
        assert np.abs(found - expected).max() <= EXACT * np.sqrt(np.square(expected).mean()), form
    assert tried >= 8


def test_another_layer_is_not_taken_for_it() -> None:
    y = noise(SCALE)
    expected = layer_file.exact(SCALE, y)
    for other in (
        replace(SCALE, slope=None),
        replace(SCALE, slope=0.2),
        replace(SCALE, before=(20,)),
    ):
        (found,) = ort.InferenceSession(
            ir.to_proto(layer_file.layer_graph(other, ("phase",))).SerializeToString()
        ).run(None, {"y": y})
        assert (snr_db(expected, found) > 110) == (other == SCALE)


@pytest.mark.parametrize("opset", [11, 18, 26])
def test_it_is_a_file_of_ours(opset: int, tmp_path: Path) -> None:
    model = layer_file.layer_graph(PERIOD, ("columns",), opset)
    saved = layer_file.save(model, tmp_path)
    assert artifact.told(saved.path) == saved and saved.manifest.opset == opset
    (port,) = saved.manifest.inputs
    assert (port.name, port.shape) == ("y", (2, 1, 4 * 23 * 3))
    assert saved.manifest.sizes == {"batch": 2, "samples": 276}
    assert [each.name for each in saved.manifest.outputs] == [layer_file.OUTPUT]
    onnx.checker.check_model(onnx.load(saved.path), full_check=True)


@pytest.mark.parametrize(
    ("form", "factor"), [((), 1.0), (("wide",), 1.0), (("merge-2",), 2.0), (("merge-4",), 4.0)]
)
def test_what_it_costs_is_counted(form: Form, factor: float) -> None:
    flops, size = layer_file.cost(layer_file.layer_graph(SCALE, form))
    assert flops == factor * 2 * 2 * 32 * 30 * 4 * 41
    numbers = 2 * 16 * 60 + 2 * 32 * 30
    weights = factor * 32 * 4 * 41 + 32
    assert size >= 4 * (numbers + weights)
    counted = count_layers(layer_file.layer_graph(SCALE, form), {})
    assert sum(layer.flops for layer in counted) == flops


def test_a_form_that_does_not_fit_is_refused() -> None:
    with pytest.raises(HifiError, match="conv cannot be written as merge-2: it has no groups"):
        layer_file.layer_graph(PERIOD, ("merge-2",))
