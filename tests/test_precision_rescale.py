"""int8 layers at one loudness: the same function in float32, and one error at every loudness."""

import copy

import numpy as np
import onnx_ir as ir
import onnxruntime as ort
import pytest
import torch
from numpy.typing import NDArray
from torch import nn

from export.fold import fold
from export.frontend.tracing import trace
from export.precision.feeds import hears
from export.precision.layers import resolve
from export.precision.material import Material, prepare, suiting, write
from export.precision.noise import Meter, worst_db
from export.precision.plan import PrecisionPlan
from export.precision.rescale import QUIETEST, loudness_of, rescale
from export.request import ExportRequest, views_of
from export.sums import sums_of
from export.to_onnx import to_onnx
from hifigan_ref import audio
from hifigan_ref.source import Source
from hifigan_ref.variant import Variant

EXACT_DB = 100.0  # rounding in float32
SAMPLES = 4096


def plain(name: str, pair: bool = False, outputs: str = "all") -> ir.Model:
    variant = Variant.parse(name)
    module = copy.deepcopy(Source().build(variant).module)
    fold(module)
    return to_onnx(module, ExportRequest(variant, views=views_of(outputs, pair)))


def convolutions(model: ir.Model) -> list[str]:
    return [node.name or "" for node in model.graph if node.op_type == "Conv"]


def run(model: ir.Model, inputs: dict[str, NDArray[np.float32]]) -> dict[str, NDArray[np.float32]]:
    session = ort.InferenceSession(ir.to_proto(model).SerializeToString())
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(None, inputs), strict=True))


def speech(gain: float, batch: int = 2) -> NDArray[np.float32]:
    return (gain * audio.speech().loaded().batch(batch, SAMPLES)).astype(np.float32)


@pytest.mark.parametrize("name", ["mpd-3", "msd-1", "msd"])
@pytest.mark.parametrize("gain", [1.0, 1e-4], ids=["loud", "below the quietest"])
def test_in_float32_it_is_the_same_function(name: str, gain: float) -> None:
    """Of every layer, the last one included, whose output is the graph's."""
    model = plain(name)
    before = ir.to_proto(model).SerializeToString()
    changed = rescale(model, convolutions(model))
    assert ir.to_proto(model).SerializeToString() == before, "the graph is changed"
    expected, found = (run(each, {"y": speech(gain)}) for each in (model, changed))
    assert list(found) == list(expected)
    for output, exact in expected.items():
        assert sums_of(exact, found[output]).snr_db > EXACT_DB, output


def test_waveforms_of_a_pair_have_a_loudness_each() -> None:
    model = plain("mpd-2", pair=True, outputs="scores")
    inputs = {"y": speech(1.0), "y_hat": speech(0.05)}
    expected = run(model, inputs)
    found = run(rescale(model, convolutions(model)), inputs)
    for output, exact in expected.items():
        assert sums_of(exact, found[output]).snr_db > EXACT_DB, output


class Two(nn.Module):
    """Two waveforms side by side, perhaps in parts that are items of their own."""

    def __init__(self, parts: int) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.parts = parts
        self.first, self.last = nn.Conv1d(2, 8, 5, padding=2), nn.Conv1d(8, 2, 3, padding=1)

    def forward(self, a: torch.Tensor, b: torch.Tensor) -> dict[str, torch.Tensor]:
        x = torch.cat([a, b], 1)
        if self.parts > 1:
            x = x.reshape(self.parts * a.shape[0], 2, -1)
        return {"out": self.last(nn.functional.leaky_relu(self.first(x)))}


def two(parts: int) -> ir.Model:
    shape = ("batch", 1, "samples")
    return trace(Two(parts), {"a": shape, "b": shape}, 18, "two")


def test_the_louder_of_two_waveforms_that_one_layer_reads_counts() -> None:
    model = two(1)
    assert hears(model) and not hears(two(2)), "a fold of the batch has other items"
    inputs = {"a": speech(0.05), "b": speech(1.0)}
    expected = run(model, inputs)["out"]
    found = run(rescale(model, convolutions(model)), inputs)["out"]
    assert sums_of(expected, found).snr_db > EXACT_DB


def test_every_item_is_read_at_one_loudness() -> None:
    model = rescale(plain("msd-0"), ["convs.1"])
    (reader,) = (node for node in model.graph if node.name == "convs.1")
    (read,) = (value for value in reader.inputs[:1] if value is not None)
    model.graph.outputs.append(read)
    wave = speech(1.0, batch=1)
    items = np.concatenate([wave, 0.25 * wave, 1e-5 * wave])
    scaled = run(model, {"y": items})[read.name or ""]
    powers = np.square(scaled).mean(axis=(1, 2))
    # what biases add is another part of each
    assert powers[1] == pytest.approx(powers[0], rel=0.5)
    assert loudness_of(items)[2] == QUIETEST


def test_a_graph_without_such_layers_stays_as_it_is() -> None:
    model = plain("mpd-2")
    assert len(list(rescale(model, []).graph)) == len(list(model.graph))


@pytest.fixture(scope="module")
def eighth() -> Material:
    model = plain("mpd-2")
    plan = PrecisionPlan("int8", activations="uint8")
    return prepare(model, resolve(model, plan, Variant.parse("mpd-2")), plan, suiting({}))


@pytest.mark.parametrize("peak", [0.95, 0.5, 0.2])
def test_int8_is_as_exact_at_every_loudness(eighth: Material, peak: float) -> None:
    """Ranges of one loudness gave 6 to 14 dB on louder speech, and less than 18 on quieter."""
    layers = resolve(eighth.graph, eighth.plan, Variant.parse("mpd-2"))
    level = speech(peak / 0.95, batch=8)
    assert worst_db(Meter(eighth.graph, (level,)).noise(write(eighth, layers))) > 20.0


def test_speech_that_begins_late_is_as_exact(eighth: Material) -> None:
    """Beside its root mean square such an item is loud: it left the ranges, at 14 dB."""
    layers = resolve(eighth.graph, eighth.plan, Variant.parse("mpd-2"))
    level = speech(1.0, batch=8)
    level[:, :, : SAMPLES * 3 // 4] = 0
    assert worst_db(Meter(eighth.graph, (level,)).noise(write(eighth, layers))) > 17.0
