"""A wrong graph is caught by its numbers, whatever the way in which it is wrong."""

import copy
import math
from collections.abc import Callable

import numpy as np
import onnx
import onnx_ir as ir
import pytest
import torch
from torch import nn

from export.fold import fold
from export.interface import interface
from export.lengths import usual_sizes
from export.request import ExportRequest
from export.to_onnx import to_onnx
from export.verify import (
    MIN_SNR_DB,
    Verification,
    example_inputs,
    run_in_float64,
    run_torch,
    snr_db,
    verify,
)
from hifigan_ref.errors import HifiError
from hifigan_ref.trained import Trained
from hifigan_ref.variant import Variant

P11 = Variant("mpd", "11")
DYNAMIC = ExportRequest(P11)
FIXED = ExportRequest(P11, sizes={"batch": 1, "samples": 701})

Break = Callable[[ir.Model], None]


@pytest.fixture(scope="module")
def s0(msd_0: Trained) -> nn.Module:
    network = copy.deepcopy(msd_0.module)
    fold(network)
    return network


def _verify(network: nn.Module, request: ExportRequest, change: Break) -> Verification:
    model = to_onnx(network, request)
    change(model)
    content = ir.to_proto(model).SerializeToString()
    return verify(content, request, interface(network, request))


def _refusal(network: nn.Module, request: ExportRequest, change: Break) -> str:
    with pytest.raises(HifiError) as caught:
        _verify(network, request, change)
    message = str(caught.value)
    assert "\n" not in message
    return message


def _wrong_numbers(network: nn.Module, request: ExportRequest, change: Break) -> None:
    message = _refusal(network, request, change)
    assert f"the exported {request.variant} computes something else than PyTorch" in message
    assert "60 or more is expected" in message


def _first(model: ir.Model, op_type: str) -> ir.Node:
    return next(node for node in model.graph if node.op_type == op_type)


def _set_ints(model: ir.Model, node: ir.Node, index: int, values: list[int]) -> None:
    array = np.array(values, dtype=np.int64)
    constant = ir.val(f"other_{node.name}", const_value=ir.tensor(array, name=f"other_{node.name}"))
    model.graph.register_initializer(constant)
    node.replace_input_with(index, constant)


def _set_weight(model: ir.Model, name: str, change: Callable[[np.ndarray], np.ndarray]) -> None:
    value = model.graph.initializers[name]
    assert value.const_value is not None
    value.const_value = ir.tensor(change(value.const_value.numpy().copy()), name=name)


# ----------------------------------------------------------------------------------- good graphs


@pytest.mark.parametrize(
    "request_",
    [
        DYNAMIC,
        FIXED,
        ExportRequest(P11, sizes={"samples": 704}),
        ExportRequest(P11, sizes={"batch": 3}),
        ExportRequest(P11, 11, views=("scores",)),
        ExportRequest(P11, 26, views=("pair",)),
        ExportRequest(P11, sizes={"batch": 1, "samples": 6}, views=("pair",)),
    ],
    ids=["dynamic", "fixed", "divided", "batch", "scores", "pair", "shortest"],
)
def test_a_right_graph_passes(p11: nn.Module, request_: ExportRequest) -> None:
    verification = _verify(p11, request_, lambda _: None)
    assert verification.snr_db > 100
    assert verification.output in interface(p11, request_)(
        **{name: torch.zeros(1, 1, 22) for name in request_.inputs}
    )
    assert verification.sizes in usual_sizes(request_, promised=False)
    assert verification.sizes.items() >= request_.sizes.items()


def test_the_lengths_meet_every_period_without_a_pad_and_with_its_largest() -> None:
    lengths = [s["samples"] for s in usual_sizes(ExportRequest(Variant("mpd")), promised=False)]
    for period in (2, 3, 5, 7, 11):
        assert {-samples % period for samples in lengths} == {0, period - 1}


# ------------------------------------------------------------------------------- wrong weights


@pytest.mark.parametrize("name", ["convs.0.weight", "convs.3.weight", "conv_post.weight"])
@pytest.mark.parametrize(
    "change",
    [
        lambda array: array * np.float32(1.01),
        lambda array: np.roll(array, 1, axis=2),
        np.zeros_like,
        np.negative,
    ],
    ids=["scaled", "shifted", "zeros", "negative"],
)
def test_a_changed_weight(
    p11: nn.Module, name: str, change: Callable[[np.ndarray], np.ndarray]
) -> None:
    _wrong_numbers(p11, DYNAMIC, lambda model: _set_weight(model, name, change))


def test_one_changed_value_among_millions(p11: nn.Module) -> None:
    def change(array: np.ndarray) -> np.ndarray:
        array[17, 5, 2, 0] += 10.0
        return array

    _wrong_numbers(p11, DYNAMIC, lambda model: _set_weight(model, "convs.3.weight", change))


def test_a_changed_bias(p11: nn.Module) -> None:
    _wrong_numbers(
        p11, DYNAMIC, lambda model: _set_weight(model, "conv_post.bias", lambda array: array * 2)
    )


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_weight_that_is_no_number(p11: nn.Module, value: float) -> None:
    def change(array: np.ndarray) -> np.ndarray:
        array[0] = value
        return array

    _wrong_numbers(p11, DYNAMIC, lambda model: _set_weight(model, "convs.2.weight", change))


def test_an_unscaled_spectral_norm(s0: nn.Module, msd_0: Trained) -> None:
    """The weight as trained, without the division by its largest singular value."""
    raw = msd_0.module.state_dict()["discriminators.0.convs.1.parametrizations.weight.original"]

    def change(model: ir.Model) -> None:
        _set_weight(model, "convs.1.weight", lambda _: raw.numpy())

    _wrong_numbers(s0, ExportRequest(Variant("msd", "0")), change)


# ---------------------------------------------------------------------------------- wrong pads


def _pad_more(model: ir.Model) -> None:
    """A period too much at every length."""
    node = _first(model, "Pad")
    amounts = node.inputs[1]
    assert amounts is not None
    extra = np.array([0, 0, 0, 0, 0, 11], dtype=np.int64)
    more = ir.val("more", const_value=ir.tensor(extra, name="more"))
    model.graph.register_initializer(more)
    added = ir.node("Add", [amounts, more])
    added.outputs[0].name = "pads_more"
    model.graph.insert_before(node, added)
    node.replace_input_with(1, added.outputs[0])


def test_a_pad_of_one_period_too_much(p11: nn.Module) -> None:
    _wrong_numbers(p11, DYNAMIC, _pad_more)


def test_a_constant_pad_of_one_period_too_much(p11: nn.Module) -> None:
    def change(model: ir.Model) -> None:
        _set_ints(model, _first(model, "Pad"), 1, [0, 0, 0, 0, 0, -701 % 11 + 11])

    assert "mpd-11" in _refusal(p11, FIXED, change)


def test_a_full_period_where_none_is_needed(p11: nn.Module) -> None:
    """``period - T % period``: right at every length but the multiples of the period."""

    def change(model: ir.Model) -> None:
        # 11 - T % 11, from Mod(T, 11) negated and shifted: Add(Neg(Mod(T, 11)), 11)
        length = _first(model, "Gather").outputs[0]
        eleven = ir.val("eleven", const_value=ir.tensor(np.array([11]), name="eleven"))
        model.graph.register_initializer(eleven)
        rest = ir.node("Mod", [length, eleven])
        amount = ir.node("Sub", [eleven, rest.outputs[0]])
        concat = _first(model, "Concat")
        for index, value in enumerate(concat.inputs):
            if value is not None and value.producer() is not None:
                concat.replace_input_with(index, amount.outputs[0])
        for name, node in (("rest", rest), ("amount", amount)):
            node.outputs[0].name = name
        model.graph.insert_before(concat, [rest, amount])

    _wrong_numbers(p11, DYNAMIC, change)


@pytest.mark.parametrize("mode", ["constant", "edge"])
def test_a_pad_that_does_not_reflect(p11: nn.Module, mode: str) -> None:
    def change(model: ir.Model) -> None:
        node = _first(model, "Pad")
        node.attributes.add(ir.AttrString("mode", mode))

    _wrong_numbers(p11, DYNAMIC, change)


def test_a_pad_in_front(p11: nn.Module) -> None:
    def change(model: ir.Model) -> None:
        _set_ints(model, _first(model, "Pad"), 1, [0, 0, -701 % 11, 0, 0, 0])

    _wrong_numbers(p11, FIXED, change)


@pytest.mark.parametrize(
    "frozen", [-8192 % 11, 0, 10, 11], ids=["8192", "no pad", "largest", "period"]
)
def test_a_branch_frozen_at_another_length(p11: nn.Module, frozen: int) -> None:
    """What a tracer makes of ``if T % period``: the amount of the length it was traced at."""

    def change(model: ir.Model) -> None:
        _set_ints(model, _first(model, "Pad"), 1, [0, 0, 0, 0, 0, frozen])

    message = _refusal(p11, DYNAMIC, change)
    assert "mpd-11" in message


def test_a_wrong_residue(p11: nn.Module) -> None:
    """The pad of the length before."""

    def change(model: ir.Model) -> None:
        node = _first(model, "Mod")
        one = ir.val("one", const_value=ir.tensor(np.array([1]), name="one"))
        model.graph.register_initializer(one)
        negated = node.inputs[0]
        assert negated is not None
        later = ir.node("Add", [negated, one])
        later.outputs[0].name = "later"
        model.graph.insert_before(node, later)
        node.replace_input_with(0, later.outputs[0])

    message = _refusal(p11, DYNAMIC, change)
    assert "mpd-11" in message


def test_a_fold_by_columns_instead_of_rows(p11: nn.Module) -> None:
    def change(model: ir.Model) -> None:
        _set_ints(model, _first(model, "Reshape"), 1, [0, 0, 11, -1])

    message = _refusal(p11, FIXED, change)
    assert "mpd-11" in message


# ------------------------------------------------------------------------------- wrong outputs


def _swap(model: ir.Model, first: str, second: str) -> None:
    """Two values change places; names and order stay."""
    names = [value.name or "" for value in model.graph.outputs]
    i, j = names.index(first), names.index(second)
    outputs = list(model.graph.outputs)
    outputs[i], outputs[j] = outputs[j], outputs[i]
    model.graph.outputs.clear()
    model.graph.outputs.extend(outputs)
    for value, name in zip(outputs, names, strict=True):
        value.name = name


@pytest.mark.parametrize(
    ("first", "second"),
    [("score_real", "score_fake"), ("fmap_3_real", "fmap_3_fake"), ("fmap_3_real", "fmap_4_real")],
)
def test_swapped_outputs(p11: nn.Module, first: str, second: str) -> None:
    """Real and fake, which are alike in shape; and two feature maps, which are not."""
    request = ExportRequest(P11, views=("pair",))
    names = [value.name for value in to_onnx(p11, request).graph.outputs]

    def change(model: ir.Model) -> None:
        _swap(model, first, second)
        assert [value.name for value in model.graph.outputs] == names

    _wrong_numbers(p11, request, change)


def test_swapped_inputs(p11: nn.Module) -> None:
    def change(model: ir.Model) -> None:
        y, y_hat = model.graph.inputs
        y.name, y_hat.name = "spare", "y"
        y.name = "y_hat"

    _wrong_numbers(p11, ExportRequest(P11, views=("pair",)), change)


def test_outputs_in_another_order(p11: nn.Module) -> None:
    message = _refusal(p11, DYNAMIC, lambda model: model.graph.outputs.reverse())
    assert "outputs are ['fmap_5'," in message
    assert "expected ['score'," in message


def test_a_renamed_output(p11: nn.Module) -> None:
    def change(model: ir.Model) -> None:
        model.graph.outputs[0].name = "result"

    assert "outputs are ['result'," in _refusal(p11, DYNAMIC, change)


def test_a_missing_output(p11: nn.Module) -> None:
    def change(model: ir.Model) -> None:
        model.graph.outputs.pop()

    assert "outputs are ['score'," in _refusal(p11, DYNAMIC, change)


# -------------------------------------------------------------------------------- refused files


@pytest.mark.parametrize("content", [b"", b"not an ONNX file"])
def test_what_is_no_onnx_file_is_refused(p11: nn.Module, content: bytes) -> None:
    with pytest.raises(HifiError, match=r"opset 18 of mpd-11 is refused: ") as caught:
        verify(content, DYNAMIC, interface(p11, DYNAMIC))
    assert "\n" not in str(caught.value)


def test_what_the_checker_refuses_is_refused(p11: nn.Module) -> None:
    def change(model: ir.Model) -> None:
        _first(model, "LeakyRelu").attributes.add(ir.AttrInt64("axis", 1))

    message = _refusal(p11, DYNAMIC, change)
    assert "opset 18 of mpd-11 is refused: " in message
    assert "choose another opset or a newer onnxruntime (here " in message


def test_what_onnxruntime_refuses_is_refused(p11: nn.Module) -> None:
    """A domain that the checker lets pass and that nothing here implements."""

    def change(model: ir.Model) -> None:
        model.opset_imports["of.nobody"] = 1
        _first(model, "LeakyRelu").domain = "of.nobody"

    assert "opset 18 of mpd-11 is refused: " in _refusal(p11, DYNAMIC, change)


# ------------------------------------------------------------------------------------- the ratio


def _snr(reference: list[float], candidate: list[float]) -> float:
    return snr_db(np.array(reference), np.array(candidate))


def test_equal_arrays_have_no_error() -> None:
    assert _snr([1.0, -2.0], [1.0, -2.0]) == math.inf
    assert _snr([0.0, 0.0], [0.0, 0.0]) == math.inf


@pytest.mark.parametrize("factor", [1.0, 1e-30, 1e30])
def test_the_ratio_in_decibels(factor: float) -> None:
    assert _snr([factor, factor], [factor, factor * 1.1]) == pytest.approx(23.0103, abs=1e-3)
    assert _snr([3.0, 4.0], [3.0, 9.0]) == pytest.approx(0, abs=1e-9)
    assert _snr([1.0], [-1.0]) == pytest.approx(-6.0206, abs=1e-3)


def test_silence_against_something_is_no_agreement() -> None:
    assert _snr([0.0, 0.0], [0.0, 1e-9]) == -math.inf


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_what_is_not_finite_agrees_with_nothing(value: float) -> None:
    assert _snr([1.0, 2.0], [1.0, value]) == -math.inf
    assert _snr([1.0, value], [1.0, 2.0]) == -math.inf


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_what_is_not_finite_agrees_not_even_with_itself(value: float) -> None:
    assert _snr([1.0, value], [1.0, value]) == -math.inf


def test_the_ratio_is_taken_in_float64() -> None:
    reference = np.full(4, 1e-30, np.float32)
    candidate = (reference * np.float32(1.001)).astype(np.float32)
    assert snr_db(reference, candidate) == pytest.approx(60, abs=0.1)
    assert snr_db(np.full(4, 1e30, np.float32), np.full(4, 1.001e30, np.float32)) == pytest.approx(
        60, abs=0.1
    )


@pytest.mark.parametrize("threads", [1, 2, 8])
def test_parts_of_a_batch_in_float64_are_the_batch(p11: nn.Module, threads: int) -> None:
    request = ExportRequest(Variant("mpd", "11"), views=("pair",))
    function = interface(p11, request)
    inputs = example_inputs(request, {"batch": 3, "samples": 500})
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        found = run_in_float64(function, inputs)
    finally:
        torch.set_num_threads(before)
    double = interface(copy.deepcopy(p11).double(), request)
    whole = run_torch(double, {name: x.astype(np.float64) for name, x in inputs.items()})
    assert list(found) == list(whole)
    for name, expected in whole.items():
        assert found[name].dtype == np.float64
        np.testing.assert_allclose(found[name], expected, rtol=1e-12, atol=1e-13)
    assert next(p11.parameters()).dtype == torch.float32, "the network stays as it is"


def test_the_bar_is_far_from_both_right_and_wrong() -> None:
    assert 20 < MIN_SNR_DB < 100


# ------------------------------------------------------------------------------------ its inputs


def test_real_and_generated_are_different_speech() -> None:
    inputs = example_inputs(ExportRequest(P11, views=("pair",)), {"batch": 2, "samples": 701})
    assert {name: array.shape for name, array in inputs.items()} == {
        "y": (2, 1, 701),
        "y_hat": (2, 1, 701),
    }
    segments = np.concatenate([inputs["y"], inputs["y_hat"]]).reshape(4, -1)
    assert all(np.abs(segment).max() > 0 for segment in segments)
    assert len(np.unique(segments, axis=0)) == 4


def test_onnx_is_what_judges_the_file() -> None:
    """The checker that the refusals above rely on does refuse."""
    with pytest.raises(onnx.checker.ValidationError):
        onnx.checker.check_model(onnx.ModelProto(), full_check=True)


@pytest.mark.parametrize(
    ("factor", "told"), [(0.0, "nothing but zeros"), (float("nan"), "NaN or Inf")]
)
def test_weights_that_say_nothing_are_blamed_on_the_checkpoint(
    p11: nn.Module, factor: float, told: str
) -> None:
    content = ir.to_proto(to_onnx(p11, DYNAMIC)).SerializeToString()
    network = copy.deepcopy(p11)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.mul_(factor)
    with pytest.raises(HifiError, match=f"PyTorch itself computes {told} .*look at the checkpoint"):
        verify(content, DYNAMIC, interface(network, DYNAMIC))
