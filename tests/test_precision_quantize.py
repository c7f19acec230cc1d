"""Graphs with Q/DQ: integers where the plan says so, float32 elsewhere, and numbers that hold."""

from collections.abc import Callable

import numpy as np
import onnx_ir as ir
import pytest
from precise import array_of, checked, convolutions, precise, value_in
from torch import nn

from export.contract import ContractError, check_precise
from export.interface import interface
from export.precision.held import held
from export.precision.plan import PrecisionPlan
from export.request import ExportRequest
from export.targets import Activations
from export.verify import verify
from hifigan_ref.errors import HifiError
from hifigan_ref.variant import Variant

P11 = Variant("mpd", "11")
INT8 = ExportRequest(P11, 13, precision=PrecisionPlan("int8"))
MIXED: PrecisionPlan = PrecisionPlan("int8", {"mpd_11.convs.2": "fp16", "mpd_11.convs.3": "fp32"})


@pytest.fixture(scope="module")
def made(p11: nn.Module) -> ir.Model:
    """Do not change it."""
    return precise(p11, INT8)


def dequantized(node: ir.Node, index: int) -> ir.Node:
    """What makes an input."""
    producer = value_in(node, index).producer()
    assert producer is not None and producer.op_type == "DequantizeLinear"
    return producer


@pytest.mark.parametrize("activations", ["int8", "uint8"])
def test_a_convolution_in_int8_multiplies_integers(
    p11: nn.Module, activations: Activations
) -> None:
    plan = PrecisionPlan("int8", activations=activations)
    model = precise(p11, ExportRequest(P11, 13, precision=plan, min_snr_db=10.0))
    checked(model)
    assert held(model)["convs.0"] == held(model)["conv_post"] == "fp32"
    eighths = [name for name, precision in held(model).items() if precision == "int8"]
    assert len(eighths) >= 3
    for name in eighths:
        node = convolutions(model)[name]
        read, weight = dequantized(node, 0), dequantized(node, 1)
        quantizer = value_in(read, 0).producer()
        assert quantizer is not None and quantizer.op_type == "QuantizeLinear"
        zero = np.asarray(array_of(read.inputs[2]))
        assert zero.dtype == activations and (activations == "uint8" or zero == 0)
        assert value_in(quantizer, 1) is value_in(read, 1), "one scale there and back"
        integers = np.asarray(array_of(weight.inputs[0]))
        scales = np.asarray(array_of(weight.inputs[1]))
        assert integers.dtype == np.int8 and weight.attributes.get_int("axis") == 0
        assert scales.shape == integers.shape[:1] and (scales > 0).all()
        assert not np.asarray(array_of(weight.inputs[2])).any()
        assert (np.abs(integers.reshape(len(integers), -1)).max(1) == 127).all()
        assert value_in(node, 2).dtype == ir.DataType.FLOAT


def test_precisions_may_stand_beside_each_other(p11: nn.Module) -> None:
    model = precise(p11, ExportRequest(P11, 13, precision=MIXED, min_snr_db=3.0))
    checked(model)
    found = held(model)
    assert (found["convs.2"], found["convs.3"]) == ("fp16", "fp32")
    assert (found["convs.1"], found["convs.4"]) == ("int8", "int8")


def test_the_outside_stays_in_float32(made: ir.Model) -> None:
    borders = (*made.graph.inputs, *made.graph.outputs)
    assert {value.dtype for value in borders} == {ir.DataType.FLOAT}
    assert made.graph.outputs[0].name == "score"


def test_the_same_twice_is_the_same(p11: nn.Module, made: ir.Model) -> None:
    assert checked(precise(p11, INT8)) == checked(made)


# ------------------------------------------------------------------------------- seen to fail


def _rescale(model: ir.Model) -> None:
    """One layer's weights are taken for 1.5 times of what they are."""
    scales = value_in(dequantized(convolutions(model)["convs.4"], 1), 1)
    wrong = ir.tensor(np.asarray(array_of(scales)) * np.float32(1.5), name=scales.name)
    scales.const_value = wrong


def _rescale_activations(model: ir.Model) -> None:
    """On the way back alone."""
    node = dequantized(convolutions(model)["convs.4"], 0)
    old = value_in(node, 1)
    array = np.asarray(array_of(old)) * np.float32(1.5)
    scale = ir.val("wrong_scale", const_value=ir.tensor(array, name="wrong_scale"))
    model.graph.register_initializer(scale)
    node.replace_input_with(1, scale)


def _in_float32(model: ir.Model) -> None:
    """A layer reads its tensor past Q/DQ."""
    node = convolutions(model)["convs.4"]
    quantizer = value_in(dequantized(node, 0), 0).producer()
    assert quantizer is not None
    node.replace_input_with(0, value_in(quantizer, 0))


def test_right_numbers_are_verified(p11: nn.Module, made: ir.Model) -> None:
    found = verify(checked(made), INT8, interface(p11, INT8))
    assert found.promised_db == 20 <= found.snr_db < 60


@pytest.mark.parametrize("change", [_rescale, _rescale_activations])
def test_one_wrongly_scaled_layer_fails_verification(
    p11: nn.Module, made: ir.Model, change: Callable[[ir.Model], None]
) -> None:
    model = made.clone()
    change(model)
    with pytest.raises(HifiError, match="nothing was written"):
        verify(checked(model), INT8, interface(p11, INT8))


def test_a_layer_left_in_float32_breaks_the_contract(made: ir.Model) -> None:
    model = made.clone()
    layers = {name: "int8" if own == "int8" else "fp32" for name, own in held(model).items()}
    check_precise(model, INT8, layers)  # type: ignore[arg-type]
    _in_float32(model)
    with pytest.raises(ContractError, match="convs.4 computes in fp32 and int8, not int8"):
        check_precise(model, INT8, layers)  # type: ignore[arg-type]
