"""Casts stand where types change, and nowhere else."""

import copy
from collections.abc import Mapping

import numpy as np
import onnx_ir as ir
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from precise import checked, convolutions, value_in
from torch import nn

from export.precision.budget import GraphPrecision
from export.precision.held import held
from export.precision.layers import resolve
from export.precision.material import prepare, write
from export.precision.narrow import TYPES, narrow
from export.precision.plan import PrecisionPlan
from export.request import ExportRequest, views_of
from export.to_onnx import to_onnx
from hifigan_ref.errors import HifiError
from hifigan_ref.variant import Variant

P11 = Variant("mpd", "11")
LAYERS = ("convs.0", "convs.1", "convs.2", "convs.3", "convs.4", "conv_post")
HALVES = pytest.mark.parametrize("precision", ["fp16", "bf16"])
Real = st.sampled_from(["fp32", "fp16", "bf16"])


@pytest.fixture(scope="module")
def plain(p11: nn.Module) -> ir.Model:
    """At the smallest opset that has bf16. Do not change it."""
    return to_onnx(p11, ExportRequest(P11, 22))


def casts(model: ir.Model) -> set[tuple[str, str]]:
    """What is cast, and to what, each of them once."""
    found = [
        (value_in(node, 0).name or "", ir.DataType(node.attributes.get_int("to")).name)
        for node in model.graph
        if node.op_type == "Cast"
    ]
    assert len(set(found)) == len(found), "the same is cast to the same twice"
    return set(found)


@HALVES
@pytest.mark.parametrize("pair", [False, True], ids=["single", "pair"])
@pytest.mark.parametrize("name", ["mpd", "msd"])
def test_a_uniform_graph_has_one_cast_for_each_input_and_output(
    folded: dict[str, nn.Module], name: str, pair: bool, precision: GraphPrecision
) -> None:
    model = to_onnx(folded[name], ExportRequest(Variant(name), 22, views=views_of("all", pair)))
    nodes = dict.fromkeys(convolutions(model), precision)
    inputs = {value.name for value in model.graph.inputs}
    outputs = [value.name for value in model.graph.outputs]
    made = narrow(model, nodes)
    checked(made)
    half = TYPES[precision].name
    found = casts(made)
    assert len(found) == len(inputs) + len(outputs)
    assert {source for source, to in found if to == half} == inputs
    assert [value.name for value in made.graph.outputs] == outputs
    producers = [value.producer() for value in made.graph.outputs]
    assert all(node is not None and node.op_type == "Cast" for node in producers)
    assert {v.dtype for v in (*made.graph.inputs, *made.graph.outputs)} == {ir.DataType.FLOAT}
    assert held(made) == nodes


@HALVES
def test_the_same_types_outside_need_no_cast(plain: ir.Model, precision: GraphPrecision) -> None:
    made = narrow(plain, dict.fromkeys(LAYERS, precision), TYPES[precision])
    checked(made)
    assert casts(made) == set()
    borders = (*made.graph.inputs, *made.graph.outputs)
    assert {value.dtype for value in borders} == {TYPES[precision]}
    assert [value.name for value in borders] == [
        value.name for value in (*plain.graph.inputs, *plain.graph.outputs)
    ]


def test_weights_and_biases_are_of_their_layer_s_type(plain: ir.Model) -> None:
    nodes: dict[str, GraphPrecision] = {**dict.fromkeys(LAYERS, "fp16"), "convs.2": "bf16"}
    for name, node in convolutions(narrow(plain, nodes)).items():
        for index in range(3):
            assert value_in(node, index).dtype == TYPES[nodes[name]]
        assert value_in(node, 1).is_initializer() and value_in(node, 2).is_initializer()


def test_a_layer_kept_in_float32_is_between_two_casts(plain: ir.Model) -> None:
    made = narrow(plain, {**dict.fromkeys(LAYERS, "fp16"), "convs.2": "fp32"})
    checked(made)
    to_layers = {("y", "FLOAT16"), ("fmap_2", "FLOAT16")}
    to_outputs = {
        (f"{name}.float16", "FLOAT") for name in ("fmap_0", "fmap_1", "fmap_3", "fmap_4", "fmap_5")
    }
    assert casts(made) == to_layers | to_outputs | {("score.float16", "FLOAT")}


def test_the_first_layers_share_what_comes_before_them_only_where_they_agree(
    folded: dict[str, nn.Module],
) -> None:
    """Scales 1 and 2 hang on one mean pool."""
    model = to_onnx(folded["msd"], ExportRequest(Variant("msd"), 22))
    nodes: dict[str, GraphPrecision] = dict.fromkeys(convolutions(model), "fp16")
    pools = [node for node in narrow(model, nodes).graph if node.op_type == "AveragePool"]
    assert {node.outputs[0].dtype for node in pools} == {ir.DataType.FLOAT16}
    for name in nodes:
        if name.startswith("msd_2."):
            nodes[name] = "bf16"
    made = narrow(model, nodes)
    checked(made)
    types = [node.outputs[0].dtype for node in made.graph if node.op_type == "AveragePool"]
    assert types == [ir.DataType.FLOAT, ir.DataType.BFLOAT16]


@settings(max_examples=12, deadline=None)
@given(st.fixed_dictionaries(dict.fromkeys(LAYERS, Real)))
def test_any_plan_makes_a_graph_with_casts_at_changes_alone(
    plain: ir.Model, nodes: Mapping[str, GraphPrecision]
) -> None:
    made = narrow(plain, nodes)
    checked(made)
    assert held(made) == dict(nodes)
    names = {value.name for value in made.graph.outputs}
    casts(made)
    for node in made.graph:
        if node.op_type == "Cast":
            source, target = value_in(node, 0), node.outputs[0]
            assert source.dtype != target.dtype
            producer = source.producer()
            assert producer is None or producer.op_type != "Cast"
            assert target.name in names or target.uses()
    assert {value.dtype for value in made.graph.outputs} == {ir.DataType.FLOAT}


def test_the_graph_that_was_given_stays_as_it_was(plain: ir.Model) -> None:
    before = ir.to_proto(plain).SerializeToString(deterministic=True)
    narrow(plain, dict.fromkeys(LAYERS, "fp16"))
    assert ir.to_proto(plain).SerializeToString(deterministic=True) == before


# ------------------------------------------------------------------------------------- its reach


def scaled(network: nn.Module, layer: str, factor: float) -> ir.Model:
    """The graph of a network of which one layer's weights are larger."""
    changed = copy.deepcopy(network)
    with torch.no_grad():
        changed.get_parameter(f"discriminators.0.{layer}.weight").mul_(factor)
    return to_onnx(changed, ExportRequest(P11))


def half(model: ir.Model, precision: GraphPrecision = "fp16") -> ir.Model:
    plan = PrecisionPlan(precision)
    layers = resolve(model, plan, P11)
    return write(prepare(model, layers, plan, {}), layers)


def test_weights_beyond_fp16_name_their_layer(p11: nn.Module) -> None:
    model = scaled(p11, "convs.3", 1e7)
    told = (
        r"layer convs\.3: its weights reach .*beyond float16: .* with a precision plan, or choose"
    )
    with pytest.raises(HifiError, match=told):
        narrow(model, dict.fromkeys(LAYERS, "fp16"))
    narrow(model, dict.fromkeys(LAYERS, "bf16"))
    narrow(model, {**dict.fromkeys(LAYERS, "fp16"), "convs.3": "fp32"})


def test_activations_beyond_fp16_name_their_layer(p11: nn.Module) -> None:
    model = scaled(p11, "convs.3", 2e5)
    weights = value_in(convolutions(model)["convs.3"], 1).const_value
    assert weights is not None and np.abs(weights.numpy()).max() < np.finfo(np.float16).max
    with pytest.raises(HifiError, match=r"layer convs\.3 computes .* shipped clip.*fp16's 65504"):
        half(model)
    half(model, "bf16")


def test_what_does_not_come_near_the_end_of_fp16_is_taken(p11: nn.Module) -> None:
    assert set(held(half(to_onnx(p11, ExportRequest(P11)))).values()) == {"fp16"}
