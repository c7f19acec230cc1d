"""Parity: what is right passes, and each way of being wrong is seen."""

from collections.abc import Iterator

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from bench.judge import Reference, compare, reference
from bench.records import OutputParity, Parity
from export.precision.budget import PRECISIONS
from export.request import ExportRequest
from hifigan_ref import audio
from hifigan_ref.norms import norm_of
from hifigan_ref.trained import Trained, convolutions
from hifigan_ref.variant import Variant

Arrays = dict[str, NDArray[np.floating]]

BUDGET = PRECISIONS["fp32"].budget_db
SHAPES = {"score": (2, 110), "fmap_0": (2, 32, 10, 11), "fmap_1": (2, 32, 10, 11)}


@pytest.fixture
def exact() -> Arrays:
    """Three outputs, the feature maps a thousand times larger than the score."""
    random = np.random.default_rng(0)
    scales = (1.0, 1e3, 1e3)
    return {n: s * random.normal(size=SHAPES[n]) for n, s in zip(SHAPES, scales, strict=True)}


@pytest.fixture
def expected(exact: Arrays) -> Reference:
    return Reference(exact, rounded(exact))


def rounded(arrays: Arrays) -> Arrays:
    return {name: array.astype(np.float32) for name, array in arrays.items()}


def judged(parity: Parity) -> dict[str, OutputParity]:
    return {output.name: output for output in parity.outputs}


def test_the_budget_of_float32_is_100_db() -> None:
    assert BUDGET == 100.0


def test_an_exact_copy_has_no_error(exact: Arrays, expected: Reference) -> None:
    found = compare(expected, exact, BUDGET)
    assert found.passed
    for output in found.outputs:
        assert (output.snr_db, output.max_abs, output.max_relative) == (np.inf, 0.0, 0.0)
        assert output.cosine == pytest.approx(1.0)
        assert output.shape == SHAPES[output.name]


def test_rounding_to_float32_passes(exact: Arrays, expected: Reference) -> None:
    found = compare(expected, rounded(exact), BUDGET)
    assert found.passed
    assert 140 < found.worst.snr_db < 170, "24 bits"


def test_outputs_come_in_the_order_of_the_graph(exact: Arrays, expected: Reference) -> None:
    backwards = dict(reversed(exact.items()))
    assert list(judged(compare(expected, backwards, BUDGET))) == list(SHAPES)


def test_the_error_of_pytorch_stands_beside_it(exact: Arrays) -> None:
    noisy = {name: array * (1 + 1e-3) for name, array in exact.items()}
    found = compare(Reference(exact, noisy), exact, BUDGET)
    assert found.passed, "the budget is the runtime's, not PyTorch's"
    for output in found.outputs:
        assert output.torch_snr_db == pytest.approx(60.0, abs=0.01)


def test_an_error_of_a_thousandth_is_60_db(exact: Arrays, expected: Reference) -> None:
    found = compare(expected, {**exact, "fmap_0": exact["fmap_0"] * (1 + 1e-3)}, BUDGET)
    assert not found.passed
    assert found.worst.name == "fmap_0"
    assert found.worst.snr_db == pytest.approx(60.0, abs=0.01)
    assert found.worst.cosine == pytest.approx(1.0), "an angle does not see a scale"
    assert judged(found)["score"].snr_db == np.inf


def test_errors_are_relative_to_each_output(exact: Arrays, expected: Reference) -> None:
    off = {**exact, "score": exact["score"] + 1e-2, "fmap_0": exact["fmap_0"] + 1e-2}
    found = judged(compare(expected, off, BUDGET))
    assert found["score"].max_abs == pytest.approx(found["fmap_0"].max_abs)
    assert found["score"].max_relative == pytest.approx(1e-2, rel=0.1)
    assert found["fmap_0"].max_relative == pytest.approx(1e-5, rel=0.1)
    assert found["fmap_0"].snr_db - found["score"].snr_db == pytest.approx(60, abs=1)


@pytest.mark.parametrize("share", [0.9, 1.1])
def test_the_budget_is_the_border(exact: Arrays, expected: Reference, share: float) -> None:
    error = share * 10 ** (-BUDGET / 20)
    found = compare(expected, {name: a * (1 + error) for name, a in exact.items()}, BUDGET)
    assert found.passed == (share < 1)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_one_value_that_is_not_finite_fails(
    exact: Arrays, expected: Reference, value: float
) -> None:
    spoilt = rounded(exact)
    spoilt["score"][1, 7] = value
    found = compare(expected, spoilt, BUDGET)
    assert not found.passed
    assert (found.worst.name, found.worst.snr_db) == ("score", -np.inf)


def failure(found: Parity, name: str) -> OutputParity:
    assert not found.passed
    assert found.worst.name == name
    assert found.worst.snr_db == -np.inf
    assert all(o.snr_db >= BUDGET for o in found.outputs if o.name != name), "the others are fine"
    return found.worst


def test_a_missing_output_fails(exact: Arrays, expected: Reference) -> None:
    kept = {name: array for name, array in exact.items() if name != "fmap_1"}
    assert failure(compare(expected, kept, BUDGET), "fmap_1").shape == ()


def test_an_extra_output_fails(exact: Arrays, expected: Reference) -> None:
    more = {**exact, "fmap_9": exact["fmap_1"][:1]}
    assert failure(compare(expected, more, BUDGET), "fmap_9").shape == (1, 32, 10, 11)


def test_no_output_at_all_fails(expected: Reference) -> None:
    assert not compare(expected, {}, BUDGET).passed


@pytest.mark.parametrize("shape", [(110, 2), (2, 1, 110), (220,), (1, 110)])
def test_another_shape_fails(exact: Arrays, expected: Reference, shape: tuple[int, ...]) -> None:
    other = np.resize(exact["score"], shape)
    assert failure(compare(expected, {**exact, "score": other}, BUDGET), "score").shape == shape


def test_swapped_outputs_fail(exact: Arrays, expected: Reference) -> None:
    swapped = {**exact, "fmap_0": exact["fmap_1"], "fmap_1": exact["fmap_0"]}
    found = compare(expected, swapped, BUDGET)
    assert not found.passed
    assert judged(found)["score"].snr_db == np.inf
    for name in ("fmap_0", "fmap_1"):
        assert judged(found)[name].snr_db < 0
        assert abs(judged(found)[name].cosine) < 0.1


def test_a_reference_of_zeros_accepts_zeros_alone(exact: Arrays) -> None:
    zeros = {name: np.zeros_like(array) for name, array in exact.items()}
    expected = Reference(zeros, zeros)
    right = compare(expected, zeros, BUDGET)
    assert right.passed and right.worst.max_relative == 0.0
    wrong = compare(expected, {**zeros, "score": zeros["score"] + 1e-30}, BUDGET)
    assert not wrong.passed
    assert (wrong.worst.snr_db, wrong.worst.max_relative) == (-np.inf, np.inf)


def test_zeros_fail_where_something_is_expected(exact: Arrays, expected: Reference) -> None:
    found = compare(expected, {**exact, "score": np.zeros(SHAPES["score"])}, BUDGET)
    assert not found.passed
    assert found.worst.snr_db == 0.0 and found.worst.cosine == 0.0


# The reference itself


@pytest.fixture
def precise_products() -> Iterator[None]:
    """The reference is not what another test made of PyTorch's settings."""
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("highest")
    yield
    torch.set_float32_matmul_precision(before)


@pytest.mark.usefixtures("precise_products")
def test_the_reference_is_float64_beside_float32(mpd_11: Trained) -> None:
    before = [norm_of(conv) for conv in convolutions(mpd_11.module).values()]
    inputs = {"y": audio.clip().batch(2, 1024)}
    both = reference(mpd_11, ExportRequest(Variant("mpd", "11")), inputs)
    assert list(both.exact) == list(both.torch) == ["score", *(f"fmap_{i}" for i in range(6))]
    assert {array.dtype for array in both.exact.values()} == {np.dtype(np.float64)}
    assert {array.dtype for array in both.torch.values()} == {np.dtype(np.float32)}
    assert {p.dtype for p in mpd_11.module.parameters()} == {torch.float32}, "left as it was"
    assert [norm_of(conv) for conv in convolutions(mpd_11.module).values()] == before
    found = compare(both, both.torch, BUDGET)
    assert found.passed
    assert [o.snr_db for o in found.outputs] == [o.torch_snr_db for o in found.outputs]
    assert all(BUDGET < o.snr_db < 170 for o in found.outputs), "float32 rounds"


def test_the_reference_of_a_pair_keeps_the_two_apart(mpd_11: Trained) -> None:
    clip = audio.clip()
    y, y_hat = clip.batch(1, 1024), clip.batch(1, 1024, first=3)
    pair = ExportRequest(Variant("mpd", "11"), views=("scores", "pair"))
    both = reference(mpd_11, pair, {"y": y, "y_hat": y_hat}).exact
    assert list(both) == ["score_real", "score_fake"]
    alone = ExportRequest(Variant("mpd", "11"), views=("scores",))
    for name, wave in (("score_real", y), ("score_fake", y_hat)):
        np.testing.assert_allclose(both[name], reference(mpd_11, alone, {"y": wave}).exact["score"])
