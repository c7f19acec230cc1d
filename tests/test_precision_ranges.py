"""The range that is chosen against every range that could have been."""

import numpy as np
import onnx_ir as ir
import onnxruntime as ort
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from torch import nn

from export.precision.ranges import best_range
from export.precision.samples import MOST, samples, values
from export.request import ExportRequest
from export.targets import Activations
from export.to_onnx import to_onnx
from hifigan_ref.variant import Variant

Samples = NDArray[np.float64]
WORSE = 1.1


TYPES = st.sampled_from(["int8", "uint8"])


def error(x: Samples, low: float, high: float, steps: int) -> float:
    """Mean square of what quantization does to x, done and not estimated."""
    step = (high - low) / steps
    first = round(low / step)
    codes = np.clip(np.round(x / step), first, first + steps)
    return float(np.square(codes * step - x).mean())


def least_error(x: Samples, activations: Activations) -> float:
    """That of the best of many ranges, each of them tried."""
    reach = float(np.abs(x).max())
    fractions = np.geomspace(1, 0.01, 90)
    if activations == "int8":
        return min(error(x, -reach * f, reach * f, 254) for f in fractions)
    low, high = min(x.min(), 0.0), max(x.max(), 0.0)
    fractions = np.geomspace(1, 0.01, 24)
    return min(
        error(x, low * f, high * g, 255) for f in fractions for g in fractions if low * f < high * g
    )


@st.composite
def heavy_tailed(draw: st.DrawFn) -> Samples:
    """Student's t with few degrees of freedom, after a LeakyReLU or not, shifted or not."""
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    x = random.standard_t(draw(st.floats(1.5, 8)), 5000) * 10 ** draw(st.floats(-4, 4))
    x += draw(st.floats(-1, 1)) * x.std()
    return np.where(x > 0, x, draw(st.sampled_from([1.0, 0.1])) * x)


@settings(max_examples=40, deadline=None, derandomize=True)
@given(heavy_tailed(), TYPES)
def test_the_range_is_as_good_as_the_best_one_tried(x: Samples, activations: Activations) -> None:
    found = best_range(x, activations)
    steps = 254 if activations == "int8" else 255
    done = error(x, found.low, found.high, steps)
    assert done <= WORSE * least_error(x, activations)
    assert np.square(found.rounded(x) - x).mean() == pytest.approx(done)


@settings(max_examples=100, deadline=None)
@given(
    st.lists(st.floats(-1e6, 1e6, width=32), min_size=1, max_size=50),
    TYPES,
)
def test_0_is_within(x: list[float], activations: Activations) -> None:
    found = best_range(np.array(x), activations)
    assert found.low <= 0 <= found.high and found.low < found.high
    assert activations == "uint8" or found.low == -found.high
    assert found.activations == activations
    assert found.rounded(np.zeros(1)) == 0


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_values_of_one_sign_keep_0_at_an_end(sign: float) -> None:
    x = sign * np.random.default_rng(0).uniform(3, 5, 1000)
    found = best_range(x, "uint8")
    assert abs(found.low if sign > 0 else found.high) < 1e-9
    assert abs(found.high if sign > 0 else found.low) == pytest.approx(5, rel=0.1)


def test_a_rare_large_value_is_cut_off() -> None:
    """For n small values and a large x, n (2 c / 254)^2 / 12 + (x - c)^2 is least at this c."""
    count, large = 100_000, 100.0
    x = np.append(np.random.default_rng(0).standard_normal(count), large)
    best = large / (1 + count / (12 * 127**2))
    assert best_range(x, "int8").high == pytest.approx(best, rel=0.05)
    assert best_range(x[:-1], "int8").high == pytest.approx(4, rel=0.25)


def test_the_order_of_values_does_not_count() -> None:
    x = np.random.default_rng(0).standard_t(3, 1000).astype(np.float32)
    assert best_range(x, "uint8") == best_range(x[::-1].reshape(10, 100), "uint8")


def test_values_of_inputs_outputs_and_between(folded: dict[str, nn.Module]) -> None:
    model = to_onnx(folded["msd"], ExportRequest(Variant("msd"), views=("scores",)))
    content = ir.to_proto(model).SerializeToString()
    between = next(node for node in model.graph if node.op_type == "LeakyRelu").outputs[0].name
    assert between is not None
    stretches = np.random.default_rng(0).standard_normal((2, 1, 1024)).astype(np.float32)
    found = list(values(model, ["y", between, "msd_0_score"], stretches))
    assert ir.to_proto(model).SerializeToString() == content, "the graph is changed"
    session = ort.InferenceSession(content)
    for wave, told in zip(stretches, found, strict=True):
        assert list(told) == ["y", between, "msd_0_score"]
        assert np.array_equal(told["y"], wave[np.newaxis])
        (expected,) = session.run(["msd_0_score"], {"y": wave[np.newaxis]})
        assert np.array_equal(told["msd_0_score"], expected)
        assert told[between].ndim == 3 and told[between].any()


def test_of_many_values_some_of_each_channel_are_kept_evenly(folded: dict[str, nn.Module]) -> None:
    model = to_onnx(folded["msd"], ExportRequest(Variant("msd"), views=("scores",)))
    first = next(node for node in model.graph if node.op_type == "LeakyRelu").outputs[0].name
    assert first is not None
    wave = np.random.default_rng(0).standard_normal((1, 1, 8192)).astype(np.float32)
    whole = next(values(model, [first], wave))[first]
    kept = samples(model, [first], np.concatenate([wave, wave]))[first]
    channels, length = whole.shape[1:]
    step = -(-channels * length // MOST)
    assert step > 1
    assert np.array_equal(kept, np.stack([whole[0, :, ::step]] * 2))


@pytest.mark.parametrize("batch", [3, 16])
def test_a_fixed_batch_hears_what_a_dynamic_one_hears(
    folded: dict[str, nn.Module], batch: int
) -> None:
    """Values are counted for each stretch of audio, not for each pass."""
    stretches = np.random.default_rng(0).standard_normal((7, 1, 4096)).astype(np.float32)
    found = []
    for fixed in ({}, {"batch": batch}):
        request = ExportRequest(Variant("msd"), sizes={**fixed, "samples": 4096})
        model = to_onnx(folded["msd"], request)
        deepest = [n for n in model.graph if n.op_type == "LeakyRelu"][-1].outputs[0].name
        assert deepest is not None
        found.append(samples(model, [deepest], stretches)[deepest])
    assert found[0].shape[0] == len(stretches)
    assert found[0].shape == found[1].shape
    np.testing.assert_allclose(found[1], found[0], rtol=1e-3, atol=1e-4)
