"""Every clause of the contract, seen to fail: a good graph with one thing broken."""

from collections.abc import Callable

import numpy as np
import onnx_ir as ir
import pytest
from torch import nn

from export.contract import ContractError, check_graph, check_precise
from export.options import Lengths
from export.precision.budget import GraphPrecision
from export.precision.narrow import narrow
from export.precision.plan import PrecisionPlan
from export.request import ExportRequest, views_of
from export.to_onnx import to_onnx
from hifigan_ref.variant import Variant

DYNAMIC = ExportRequest(Variant("mpd", "11"))
FIXED = ExportRequest(Variant("mpd", "11"), sizes={"batch": 2, "samples": 701})
DIVIDED = ExportRequest(Variant("mpd", "11"), sizes={"samples": 704})

Break = Callable[[ir.Model], None]


def _broken(network: nn.Module, request: ExportRequest, change: Break) -> str:
    """What the contract says of a graph after a change; before it, nothing."""
    model = to_onnx(network, request)
    check_graph(model, request)
    change(model)
    with pytest.raises(ContractError) as caught:
        check_graph(model, request)
    message = str(caught.value)
    assert str(request.variant) in message
    assert "nothing was written" in message
    assert "\n" not in message
    return message


def _first(model: ir.Model, op_type: str) -> ir.Node:
    return next(node for node in model.graph if node.op_type == op_type)


def _input(node: ir.Node, index: int) -> ir.Value:
    value = node.inputs[index]
    assert value is not None
    return value


def _initializer(model: ir.Model, name: str, array: np.ndarray) -> ir.Value:
    value = ir.val(name, const_value=ir.tensor(array, name=name))
    model.graph.register_initializer(value)
    return value


def _before(model: ir.Model, node: ir.Node, index: int, op_type: str, *more: ir.Value) -> ir.Node:
    """Put an operation in front of one input of a node."""
    source = _input(node, index)
    result = ir.Value(name=f"added_{op_type}", shape=source.shape, type=source.type)
    added = ir.node(op_type, [source, *more], outputs=[result], name=f"added_{op_type}")
    model.graph.insert_before(node, added)
    node.replace_input_with(index, added.outputs[0])
    return added


def _bypass(model: ir.Model, node: ir.Node) -> None:
    """Take a node out; its first input goes on in its place."""
    ir.convenience.replace_all_uses_with(node.outputs[0], _input(node, 0))
    model.graph.remove(node, safe=True)


def _set_ints(model: ir.Model, node: ir.Node, index: int, values: list[int]) -> None:
    constant = _initializer(model, f"other_{node.name}", np.array(values, dtype=np.int64))
    node.replace_input_with(index, constant)


# ------------------------------------------------------------------------------------ good graphs


@pytest.mark.parametrize("name", ["mpd", "msd"])
@pytest.mark.parametrize("pair", [False, True], ids=["single", "pair"])
@pytest.mark.parametrize("opset", [11, 18, 26])
def test_dynamic_ensembles_keep_it(
    folded: dict[str, nn.Module], name: str, pair: bool, opset: int
) -> None:
    request = ExportRequest(Variant(name), opset, views=views_of("all", pair))
    check_graph(to_onnx(folded[name], request), request)


@pytest.mark.parametrize("samples", [*range(6, 18), 2310, 2311, 8192, 22050])
@pytest.mark.parametrize("pair", [False, True], ids=["single", "pair"])
def test_ensembles_of_fixed_length_keep_it(
    folded: dict[str, nn.Module], samples: int, pair: bool
) -> None:
    for name, network in folded.items():
        request = ExportRequest(
            Variant(name), sizes={"batch": 1, "samples": samples}, views=views_of("all", pair)
        )
        check_graph(to_onnx(network, request), request)


@pytest.mark.parametrize("samples", [*range(6, 18), 8192, None])
def test_one_period_keeps_it(p11: nn.Module, samples: int | None) -> None:
    request = ExportRequest(DYNAMIC.variant, sizes=Lengths(samples).sizes(), views=("scores",))
    check_graph(to_onnx(p11, request), request)


# ------------------------------------------------------------------------- 1. domain and opset


def test_another_opset(p11: nn.Module) -> None:
    def change(model: ir.Model) -> None:
        model.opset_imports[""] = 17

    assert "opset is 17, expected 18" in _broken(p11, DYNAMIC, change)


def test_another_domain_is_imported(p11: nn.Module) -> None:
    def change(model: ir.Model) -> None:
        model.opset_imports["com.microsoft"] = 1

    assert "opset is None, expected 18" in _broken(p11, DYNAMIC, change)


def test_functions(p11: nn.Module) -> None:
    def change(model: ir.Model) -> None:
        value = ir.val("x")
        body = ir.Graph([value], [value], nodes=[], opset_imports={"": 18})
        function = ir.Function("", "Anything", graph=body, attributes=[])
        model.functions[function.identifier()] = function

    assert "the file holds functions" in _broken(p11, DYNAMIC, change)


# ------------------------------------------------------------------------- 2. inputs and outputs


def test_a_renamed_input(p11: nn.Module) -> None:
    def change(model: ir.Model) -> None:
        model.graph.inputs[0].name = "x"

    message = _broken(p11, DYNAMIC, change)
    assert "inputs are [('x', " in message
    assert "expected [('y', " in message


@pytest.mark.parametrize(
    ("request_", "shape"),
    [
        (DYNAMIC, [2, 1, "samples"]),
        (DYNAMIC, ["batch", 1, 8192]),
        (DYNAMIC, ["batch", 1, "T"]),
        (DYNAMIC, ["N", 1, "samples"]),
        (DYNAMIC, ["batch", 2, "samples"]),
        (DYNAMIC, ["batch", "samples"]),
        (FIXED, ["batch", 1, 701]),
        (FIXED, [2, 1, "samples"]),
        (FIXED, [1, 1, 701]),
        (FIXED, [2, 1, 700]),
    ],
    ids=str,
)
def test_an_axis_that_was_not_asked_for(
    p11: nn.Module, request_: ExportRequest, shape: list[int | str]
) -> None:
    def change(model: ir.Model) -> None:
        model.graph.inputs[0].shape = ir.Shape(shape)

    assert "inputs are" in _broken(p11, request_, change)


def test_an_input_of_another_type(p11: nn.Module) -> None:
    def change(model: ir.Model) -> None:
        model.graph.inputs[0].dtype = ir.DataType.DOUBLE

    assert "inputs are" in _broken(p11, DYNAMIC, change)


def test_another_number_of_inputs(p11: nn.Module) -> None:
    def more(model: ir.Model) -> None:
        extra = ir.val("y_hat", ir.DataType.FLOAT, ["batch", 1, "samples"])
        model.graph.inputs.append(extra)

    assert "inputs are" in _broken(p11, DYNAMIC, more)
    pair = ExportRequest(DYNAMIC.variant, views=("pair",))
    assert "inputs are" in _broken(p11, pair, lambda model: model.graph.inputs.reverse())


@pytest.mark.parametrize(("request_", "batch"), [(DYNAMIC, 2), (DYNAMIC, "N"), (FIXED, "batch")])
def test_an_output_of_another_batch(
    p11: nn.Module, request_: ExportRequest, batch: int | str
) -> None:
    def change(model: ir.Model) -> None:
        model.graph.outputs[3].shape = ir.Shape([batch, 512, 7, 11])

    assert "output fmap_2 is FLOAT" in _broken(p11, request_, change)


def test_an_output_of_another_type(p11: nn.Module) -> None:
    def change(model: ir.Model) -> None:
        model.graph.outputs[0].dtype = ir.DataType.FLOAT16

    assert "output score is FLOAT16" in _broken(p11, DYNAMIC, change)


# -------------------------------------------------------------------------------- 3. operations


@pytest.mark.parametrize(
    "op_type", ["Identity", "Tanh", "ReduceL2", "If", "Loop", "BatchNormalization"]
)
def test_a_foreign_operation(p11: nn.Module, op_type: str) -> None:
    def change(model: ir.Model) -> None:
        _before(model, _first(model, "LeakyRelu"), 0, op_type)

    assert f"foreign operations ['{op_type}']" in _broken(p11, DYNAMIC, change)


def test_a_known_name_in_a_foreign_domain(p11: nn.Module) -> None:
    def change(model: ir.Model) -> None:
        _first(model, "Conv").domain = "com.microsoft"

    assert "foreign operations ['com.microsoft']" in _broken(p11, DYNAMIC, change)


def test_an_unfolded_weight_norm(p11: nn.Module) -> None:
    """g v / |v| in front of a convolution, as PyTorch's own exporter leaves it."""

    def change(model: ir.Model) -> None:
        node = next(node for node in model.graph if node.name == "convs.2")
        v = _input(node, 1)
        g = _initializer(model, "g", np.ones((512, 1, 1, 1), np.float32))
        norm = ir.node("ReduceL2", [v], {"axes": [1, 2, 3], "keepdims": 1})
        scaled = ir.node("Mul", [v, g])
        weight = ir.node("Div", [scaled.outputs[0], norm.outputs[0]])
        model.graph.insert_before(node, [norm, scaled, weight])
        node.replace_input_with(1, weight.outputs[0])

    message = _broken(p11, DYNAMIC, change)
    assert "foreign operations ['Div', 'Mul', 'ReduceL2']" in message
    assert "convs.2: weight is computed in the graph" in message


# ----------------------------------------------------------------------------------- 4. weights


@pytest.mark.parametrize(("index", "role"), [(1, "weight"), (2, "bias")])
def test_a_computed_weight_of_allowed_operations(p11: nn.Module, index: int, role: str) -> None:
    def change(model: ir.Model) -> None:
        node = next(node for node in model.graph if node.name == "convs.1")
        shape = _initializer(model, "shape", np.array([0], dtype=np.int64))
        _before(model, node, index, "Reshape", shape)

    message = _broken(p11, DYNAMIC, change)
    assert f"convs.1: {role} is computed in the graph" in message
    assert "foreign" not in message


def test_a_weight_that_is_an_input(p11: nn.Module) -> None:
    def change(model: ir.Model) -> None:
        node = _first(model, "Conv")
        weight = ir.val("weight", ir.DataType.FLOAT, [32, 1, 5, 1])
        model.graph.inputs.append(weight)
        node.replace_input_with(1, weight)

    assert "convs.0: weight is computed in the graph" in _broken(p11, DYNAMIC, change)


# -------------------------------------------------------------------------------------- 5. pads


def test_a_missing_pad(p11: nn.Module) -> None:
    def change(model: ir.Model) -> None:
        _bypass(model, _first(model, "Pad"))

    assert "0 pads, expected 1" in _broken(p11, DYNAMIC, change)
    assert "0 pads, expected 1" in _broken(p11, FIXED, change)


def test_one_missing_pad_of_five(folded: dict[str, nn.Module]) -> None:
    def change(model: ir.Model) -> None:
        _bypass(model, _first(model, "Pad"))

    request = ExportRequest(Variant("mpd"))
    assert "4 pads, expected 5" in _broken(folded["mpd"], request, change)


def test_a_pad_too_much(p11: nn.Module) -> None:
    def change(model: ir.Model) -> None:
        pads = _initializer(model, "pads", np.array([0, 0, 0, 0, 0, 11], dtype=np.int64))
        fold_ = next(node for node in model.graph if len(_input(node, 0).shape or ()) == 3
                     and node.op_type == "Reshape")  # fmt: skip
        added = _before(model, fold_, 0, "Pad", pads)
        added.attributes.add(ir.AttrString("mode", "reflect"))

    assert "1 pads, expected 0" in _broken(p11, DIVIDED, change)
    assert "2 pads, expected 1" in _broken(p11, FIXED, change)


@pytest.mark.parametrize("mode", ["constant", "edge", "wrap", None])
def test_a_pad_that_does_not_reflect(p11: nn.Module, mode: str | None) -> None:
    def change(model: ir.Model) -> None:
        node = _first(model, "Pad")
        del node.attributes["mode"]
        if mode is not None:
            node.attributes.add(ir.AttrString("mode", mode))

    assert "does not reflect" in _broken(p11, DYNAMIC, change)


def test_a_frozen_pad(p11: nn.Module) -> None:
    """What a tracer makes of a branch on the length: right at T = 8192 and nowhere else."""

    def change(model: ir.Model) -> None:
        _set_ints(model, _first(model, "Pad"), 1, [0, 0, 0, 0, 0, -8192 % 11])

    assert "pads by a constant amount" in _broken(p11, DYNAMIC, change)


def test_a_computed_pad_of_a_fixed_length(p11: nn.Module) -> None:
    def change(model: ir.Model) -> None:
        node = _first(model, "Pad")
        _before(model, node, 1, "Neg")

    assert "pads by a computed amount" in _broken(p11, FIXED, change)


# ------------------------------------------------------------------------------------- 6. folds


def _fold_shape(model: ir.Model) -> ir.Node:
    return next(node for node in model.graph if node.op_type == "Reshape")


@pytest.mark.parametrize("period", [1, 2, 10, 22])
def test_a_fold_by_another_period(p11: nn.Module, period: int) -> None:
    def change(model: ir.Model) -> None:
        _set_ints(model, _fold_shape(model), 1, [0, 0, -1, period])

    assert f"folds by [{period}], expected [11]" in _broken(p11, DYNAMIC, change)


def test_a_missing_fold(p11: nn.Module) -> None:
    def change(model: ir.Model) -> None:
        _bypass(model, _fold_shape(model))

    assert "folds by [], expected [11]" in _broken(p11, DYNAMIC, change)


def test_a_computed_fold(p11: nn.Module) -> None:
    def change(model: ir.Model) -> None:
        _before(model, _fold_shape(model), 1, "Neg")

    assert "folds by [], expected [11]" in _broken(p11, DYNAMIC, change)


def test_a_fold_where_there_is_none(folded: dict[str, nn.Module]) -> None:
    def change(model: ir.Model) -> None:
        shape = _initializer(model, "shape", np.array([0, 0, -1, 2], dtype=np.int64))
        _before(model, _first(model, "Conv"), 0, "Reshape", shape)

    request = ExportRequest(Variant("msd"))
    assert "folds by [2], expected []" in _broken(folded["msd"], request, change)


def test_two_folds_of_one_period(folded: dict[str, nn.Module]) -> None:
    def change(model: ir.Model) -> None:
        _set_ints(model, _fold_shape(model), 1, [0, 0, -1, 3])

    request = ExportRequest(Variant("mpd"))
    message = _broken(folded["mpd"], request, change)
    assert "folds by [3, 3, 5, 7, 11], expected [2, 3, 5, 7, 11]" in message


# ------------------------------------------------------------------------------------- 7. texts

HOLDERS: dict[str, Callable[[ir.Model], ir.Model | ir.Graph | ir.Node | ir.Value]] = {
    "model": lambda model: model,
    "graph": lambda model: model.graph,
    "node": lambda model: _first(model, "Pad"),
    "input": lambda model: model.graph.inputs[0],
    "output": lambda model: model.graph.outputs[0],
    "value": lambda model: _first(model, "Pad").outputs[0],
    "initializer": lambda model: model.graph.initializers["convs.0.weight"],
}


@pytest.mark.parametrize("holder", HOLDERS)
def test_a_doc_string(p11: nn.Module, holder: str) -> None:
    def change(model: ir.Model) -> None:
        HOLDERS[holder](model).doc_string = "File /home/someone/train.py, line 3"

    assert "1 descriptions left in the graph" in _broken(p11, DYNAMIC, change)


@pytest.mark.parametrize("holder", HOLDERS)
def test_metadata(p11: nn.Module, holder: str) -> None:
    def change(model: ir.Model) -> None:
        HOLDERS[holder](model).metadata_props["pkg.torch.onnx.stack_trace"] = "train.py"

    assert "1 descriptions left in the graph" in _broken(p11, DYNAMIC, change)


def test_a_doc_string_of_a_tensor(p11: nn.Module) -> None:
    def change(model: ir.Model) -> None:
        tensor = model.graph.initializers["convs.0.weight"].const_value
        assert tensor is not None
        tensor.doc_string = "File /home/someone/train.py, line 3"

    assert "1 descriptions left in the graph" in _broken(p11, DYNAMIC, change)


# ---------------------------------------------------------------------------------------- all


def test_every_broken_clause_is_named(p11: nn.Module) -> None:
    def change(model: ir.Model) -> None:
        model.opset_imports[""] = 12
        model.graph.inputs[0].name = "x"
        _bypass(model, _first(model, "Pad"))
        model.doc_string = "x"

    message = _broken(p11, DYNAMIC, change)
    for part in ("opset is 12", "inputs are", "0 pads", "1 descriptions"):
        assert part in message


# ---------------------------------------------------------------------------------- of precisions

LAYERS = ("convs.0", "convs.1", "convs.2", "convs.3", "convs.4", "conv_post")
HALF = ExportRequest(Variant("mpd", "11"), 22, precision=PrecisionPlan("fp16"))


def _half(network: nn.Module, *others: str) -> ir.Model:
    """In fp16, some layers in float32."""
    nodes: dict[str, GraphPrecision] = dict.fromkeys(LAYERS, "fp16")
    return narrow(to_onnx(network, HALF), nodes | dict.fromkeys(others, "fp32"))


def _imprecise(model: ir.Model, request: ExportRequest = HALF) -> str:
    with pytest.raises(ContractError) as caught:
        check_precise(model, request, dict.fromkeys(LAYERS, "fp16"))
    return str(caught.value)


def test_a_graph_in_fp16_keeps_it(p11: nn.Module) -> None:
    check_precise(_half(p11), HALF, dict.fromkeys(LAYERS, "fp16"))


@pytest.mark.parametrize("layer", LAYERS)
def test_a_layer_left_in_float32(p11: nn.Module, layer: str) -> None:
    told = _imprecise(_half(p11, layer))
    assert f"{layer} computes in fp32, not fp16" in told and told.count("computes in") == 1


def test_a_layer_of_another_half(p11: nn.Module) -> None:
    nodes: dict[str, GraphPrecision] = {**dict.fromkeys(LAYERS, "fp16"), "convs.2": "bf16"}
    model = narrow(to_onnx(p11, HALF), nodes)
    assert "convs.2 computes in bf16, not fp16" in _imprecise(model)


def test_a_convolution_that_belongs_to_no_layer(p11: nn.Module) -> None:
    model = _half(p11)
    next(node for node in model.graph if node.name == "convs.2").name = "other"
    assert "other computes in fp16, not none" in _imprecise(model)


def test_inputs_and_outputs_of_another_type_than_asked(p11: nn.Module) -> None:
    same = ExportRequest(Variant("mpd", "11"), 22, precision=PrecisionPlan("fp16", io="same"))
    told = _imprecise(_half(p11), same)
    assert "inputs are" in told and "output score is FLOAT" in told
    inside = narrow(to_onnx(p11, HALF), dict.fromkeys(LAYERS, "fp16"), ir.DataType.FLOAT16)
    check_precise(inside, same, dict.fromkeys(LAYERS, "fp16"))
    assert "output score is FLOAT16" in _imprecise(inside)


def test_casts_have_no_place_before_precision(p11: nn.Module) -> None:
    with pytest.raises(ContractError, match=r"foreign operations \['Cast'\]"):
        check_graph(_half(p11), DYNAMIC)


def test_an_operation_that_the_table_does_not_know(p11: nn.Module) -> None:
    model = _half(p11)
    _first(model, "LeakyRelu").op_type = "Celu"
    assert "foreign operations ['Celu']" in _imprecise(model)
