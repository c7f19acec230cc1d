"""Graphs of every variant: axes, opsets, pads, names, bytes; and no branch is ever frozen."""

import copy
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import onnx
import onnx_ir as ir
import onnxruntime as ort
import pytest
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from export import opset
from export.interface import interface
from export.request import OPSETS, ExportRequest, views_of
from export.to_onnx import to_onnx
from export.verify import example_inputs, run_torch, snr_db
from hifigan_ref.errors import HifiError
from hifigan_ref.trained import Trained
from hifigan_ref.variant import Variant, all_variants, find_network

Networks = Mapping[str, nn.Module]
Arrays = Mapping[str, NDArray[np.float32]]

P11 = Variant("mpd", "11")
TESTED_OPSETS = (11, 13, 15, 17, 18, 20, 22, 24, 26)


@pytest.fixture(scope="module")
def networks(folded: dict[str, nn.Module]) -> Networks:
    """Every variant's network, folded; the members share the ensembles' weights."""
    found = dict(folded)
    for name, ensemble in folded.items():
        network = find_network(name)
        for i, part in enumerate(network.parts):
            with torch.device("meta"):
                alone = network.build((part,))
            alone.discriminators[0] = ensemble.discriminators[i]  # type: ignore[index, operator]
            found[f"{name}-{part}"] = alone
    return found


def _inputs(request: ExportRequest, batch: int, samples: int) -> Arrays:
    return example_inputs(request, {"batch": batch, "samples": samples})


def _bytes(network: nn.Module, request: ExportRequest) -> bytes:
    content: bytes = ir.to_proto(to_onnx(network, request)).SerializeToString(deterministic=True)
    return content


def _session(content: bytes) -> ort.InferenceSession:
    return ort.InferenceSession(content, providers=["CPUExecutionProvider"])


def _compare(network: nn.Module, request: ExportRequest, content: bytes, inputs: Arrays) -> None:
    """Names, order, shapes and numbers of onnxruntime against PyTorch."""
    session = _session(content)
    names = [output.name for output in session.get_outputs()]
    expected = run_torch(interface(network, request), inputs)
    assert names == list(expected)
    for name, found in zip(names, session.run(names, dict(inputs)), strict=True):
        assert found.shape == expected[name].shape
        assert snr_db(expected[name], found) > 100 or found.size < 20, name
        np.testing.assert_allclose(found, expected[name], rtol=1e-3, atol=1e-4)


def _axes(value: onnx.ValueInfoProto) -> list[int | str]:
    return [dim.dim_param or dim.dim_value for dim in value.type.tensor_type.shape.dim]


@pytest.mark.parametrize("variant", all_variants(), ids=str)
def test_a_dynamic_graph_of_every_variant(networks: Networks, variant: Variant) -> None:
    network, request = networks[str(variant)], ExportRequest(variant)
    content = _bytes(network, request)
    onnx.checker.check_model(content, full_check=True)
    graph = onnx.ModelProto.FromString(content).graph
    assert {value.name: _axes(value) for value in graph.input} == {"y": ["batch", 1, "samples"]}
    for output in graph.output:
        first, *rest = _axes(output)
        assert first == "batch"
        assert rest[-1] == (f"{output.name}_frames" if variant.family == "msd" else rest[-1])
        assert all(rest)
    _compare(network, request, content, _inputs(request, 3, 701))
    _compare(network, request, content, _inputs(request, 1, variant.signature.smallest["samples"]))


@pytest.mark.parametrize("number", TESTED_OPSETS)
def test_the_opset_is_exactly_the_one_asked_for(networks: Networks, number: int) -> None:
    request = ExportRequest(P11, number)
    content = _bytes(networks["mpd-11"], request)
    proto = onnx.ModelProto.FromString(content)
    assert [(entry.domain, entry.version) for entry in proto.opset_import] == [("", number)]
    assert not proto.functions
    assert {node.domain for node in proto.graph.node} == {""}
    onnx.checker.check_model(content, full_check=True)
    _compare(networks["mpd-11"], request, content, _inputs(request, 2, 701))


@pytest.mark.parametrize("number", [min(OPSETS), max(OPSETS)])
@pytest.mark.parametrize("variant", [Variant("mpd"), Variant("msd")], ids=str)
def test_ensembles_and_pairs_at_the_first_and_last_opset(
    networks: Networks, variant: Variant, number: int
) -> None:
    request = ExportRequest(variant, number, views=("pair",))
    content = _bytes(networks[str(variant)], request)
    onnx.checker.check_model(content, full_check=True)
    _compare(networks[str(variant)], request, content, _inputs(request, 2, 701))


def test_the_file_format_is_the_oldest_that_holds_the_opset() -> None:
    versions = [opset.ir_version(number) for number in OPSETS]
    assert versions == sorted(versions)
    assert (opset.ir_version(11), opset.ir_version(18), opset.ir_version(26)) == (6, 8, 13)


def test_an_opset_that_onnx_does_not_know_is_refused() -> None:
    with pytest.raises(HifiError, match=r"opset 99 is unknown to onnx .* which knows up to \d+"):
        opset.ir_version(99)


@pytest.mark.parametrize("samples", [*range(6, 18), 8192, 8195, 22050])
def test_a_fixed_length_has_constant_pads_or_none(networks: Networks, samples: int) -> None:
    """Each fold takes the wave itself or a constant pad of it; periods may share a pad."""
    variant = Variant("mpd")
    request = ExportRequest(variant, sizes={"samples": samples})
    graph = ir.to_proto(to_onnx(networks["mpd"], request)).graph
    constants = {
        tensor.name: onnx.numpy_helper.to_array(tensor).tolist()
        for tensor in graph.initializer
        if tensor.data_type == onnx.TensorProto.INT64
    }
    pads = {
        node.output[0]: (node.input[0], constants[node.input[1]])
        for node in graph.node
        if node.op_type == "Pad"
    }
    folds = [
        (node.input[0], constants[node.input[1]])
        for node in graph.node
        if node.op_type == "Reshape"
    ]
    sources = {shape[-1]: source for source, shape in folds if len(shape) == 4}
    assert sorted(sources) == [2, 3, 5, 7, 11]
    for period, source in sources.items():
        amount = -samples % period
        if amount:
            assert pads[source] == ("y", [0, 0, 0, 0, 0, amount])
        else:
            assert source == "y"
    assert {*pads} <= {*sources.values()}
    assert not {node.op_type for node in graph.node} & {"Shape", "Gather", "Mod", "Neg"}
    assert _axes(graph.input[0]) == ["batch", 1, samples]


@pytest.mark.parametrize("variant", all_variants(), ids=str)
def test_fixed_axes_are_numbers_everywhere(networks: Networks, variant: Variant) -> None:
    network = networks[str(variant)]
    request = ExportRequest(variant, sizes={"batch": 2, "samples": 1001})
    content = _bytes(network, request)
    onnx.checker.check_model(content, full_check=True)
    graph = onnx.ModelProto.FromString(content).graph
    for value in (*graph.input, *graph.output):
        assert all(isinstance(axis, int) and axis > 0 for axis in _axes(value)), value.name
    inputs = _inputs(request, 2, 1001)
    _compare(network, request, content, inputs)
    expected = run_torch(interface(network, request), inputs)
    assert {v.name: tuple(_axes(v)) for v in graph.output} == {
        n: a.shape for n, a in expected.items()
    }
    with pytest.raises(Exception, match="INVALID_ARGUMENT"):
        _session(content).run(None, _inputs(request, 3, 1001))


@pytest.mark.parametrize("variant", [P11, Variant("msd", "2")], ids=str)
def test_one_fixed_axis_leaves_the_other_dynamic(networks: Networks, variant: Variant) -> None:
    network = networks[str(variant)]
    batched = ExportRequest(variant, sizes={"batch": 1})
    content = _bytes(network, batched)
    assert _axes(onnx.ModelProto.FromString(content).graph.input[0]) == [1, 1, "samples"]
    for samples in (variant.signature.smallest["samples"], 700, 704):
        _compare(network, batched, content, _inputs(batched, 1, samples))
    timed = ExportRequest(variant, sizes={"samples": 700})
    content = _bytes(network, timed)
    assert _axes(onnx.ModelProto.FromString(content).graph.input[0]) == ["batch", 1, 700]
    for batch in (1, 2, 5):
        _compare(network, timed, content, _inputs(timed, batch, 700))


def test_outputs_are_named_in_the_order_of_the_interface(networks: Networks) -> None:
    def names(request: ExportRequest) -> list[str]:
        return [
            value.name or ""
            for value in to_onnx(networks[str(request.variant)], request).graph.outputs
        ]

    assert names(ExportRequest(P11)) == ["score", *(f"fmap_{i}" for i in range(6))]
    assert names(ExportRequest(P11, views=("scores",))) == ["score"]
    assert names(ExportRequest(P11, views=("scores", "pair"))) == ["score_real", "score_fake"]
    assert names(ExportRequest(Variant("mpd"), views=("scores",))) == [
        f"mpd_{period}_score" for period in (2, 3, 5, 7, 11)
    ]
    assert names(ExportRequest(Variant("msd"))) == [
        f"msd_{scale}_{part}"
        for scale in range(3)
        for part in ("score", *(f"fmap_{i}" for i in range(8)))
    ]
    assert names(ExportRequest(Variant("msd"), views=("scores", "pair"))) == [
        f"msd_{scale}_score_{wave}" for scale in range(3) for wave in ("real", "fake")
    ]


@pytest.mark.parametrize("variant", [P11, Variant("mpd"), Variant("msd")], ids=str)
def test_scores_alone_are_the_scores_of_all(networks: Networks, variant: Variant) -> None:
    network = networks[str(variant)]
    alone = ExportRequest(variant, views=("scores",))
    content = _bytes(network, alone)
    _compare(network, alone, content, _inputs(alone, 2, 701))


@pytest.mark.parametrize("variant", [P11, Variant("mpd"), Variant("msd")], ids=str)
def test_a_pair_equals_two_passes(networks: Networks, variant: Variant) -> None:
    network = networks[str(variant)]
    single = _session(_bytes(network, ExportRequest(variant)))
    pair_request = ExportRequest(variant, views=("pair",))
    content = _bytes(network, pair_request)
    pair = _session(content)
    graph = onnx.ModelProto.FromString(content).graph
    assert [_axes(value) for value in graph.input] == [["batch", 1, "samples"]] * 2
    assert {_axes(value)[0] for value in graph.output} == {"batch"}
    names = [output.name for output in single.get_outputs()]
    for batch, samples in ((1, 700), (1, 704), (3, 701)):
        inputs = _inputs(pair_request, batch, samples)
        assert not np.array_equal(inputs["y"], inputs["y_hat"])
        found = dict(zip([o.name for o in pair.get_outputs()], pair.run(None, inputs), strict=True))
        assert len(found) == 2 * len(names)
        for wave, suffix in (("y", "real"), ("y_hat", "fake")):
            expected = dict(zip(names, single.run(names, {"y": inputs[wave]}), strict=True))
            for name, array in expected.items():
                other = found[f"{name}_{suffix}"]
                assert other.shape == array.shape
                np.testing.assert_allclose(other, array, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("shape", [{"batch": 1}, {"batch": 2, "samples": 704}, {"samples": 701}])
def test_a_pair_with_fixed_axes(networks: Networks, shape: dict[str, int]) -> None:
    request = ExportRequest(P11, views=("pair",), sizes=shape)
    content = _bytes(networks["mpd-11"], request)
    onnx.checker.check_model(content, full_check=True)
    inputs = _inputs(request, shape.get("batch", 2), shape.get("samples", 705))
    _compare(networks["mpd-11"], request, content, inputs)


@pytest.mark.parametrize(
    "build",
    [
        lambda: ExportRequest(P11),
        lambda: ExportRequest(P11, 11, sizes={"batch": 2, "samples": 8192}),
        lambda: ExportRequest(Variant("msd", "2"), views=("pair",)),
    ],
    ids=["dynamic", "fixed", "pair"],
)
def test_the_same_request_gives_the_same_bytes(
    networks: Networks, build: Callable[[], ExportRequest]
) -> None:
    request = build()
    network = networks[str(request.variant)]
    first = _bytes(network, request)
    assert _bytes(network, request) == first
    assert _bytes(copy.deepcopy(network), build()) == first


@pytest.mark.parametrize("pair", [False, True])
@pytest.mark.parametrize("name", ["mpd-11", "mpd", "msd"])
def test_nothing_tells_of_this_machine(networks: Networks, name: str, pair: bool) -> None:
    content = _bytes(
        networks[name], ExportRequest(Variant.parse(name), views=views_of("all", pair))
    )
    root = str(Path(__file__).parents[1]).encode()
    for text in (root, b"/home", b"/root", b"site-packages", b"Traceback", b"forward("):
        assert text not in content
    proto = onnx.ModelProto.FromString(content)
    for tensor in proto.graph.initializer:
        assert not tensor.doc_string
        tensor.ClearField("raw_data")  # random bytes that may spell anything of a few letters
    rest = proto.SerializeToString()
    assert len(rest) < 100_000
    for text in (b".py", b"torch", b"doc_string", b"stack", b"pkg.", b"namespace"):
        assert text not in rest
    assert not proto.doc_string and not proto.graph.doc_string and not proto.metadata_props
    for node in proto.graph.node:
        assert not node.doc_string and not node.metadata_props
    assert proto.producer_name == "hifi-export"


def test_weights_keep_their_names_in_an_ensemble(networks: Networks) -> None:
    model = to_onnx(networks["mpd"], ExportRequest(Variant("mpd")))
    names = {value.name for value in model.graph.initializers.values()}
    for period in (2, 3, 5, 7, 11):
        assert {f"mpd_{period}.conv_post.weight", f"mpd_{period}.convs.4.bias"} <= names
    single = to_onnx(networks["mpd-11"], ExportRequest(P11))
    assert {"convs.0.weight", "conv_post.bias"} <= {*single.graph.initializers}
    weight = single.graph.initializers["convs.1.weight"].const_value
    assert weight is not None
    folded = networks["mpd-11"].state_dict()["discriminators.0.convs.1.weight"]
    np.testing.assert_array_equal(weight.numpy(), folded.numpy())


class _Branching(nn.Module):
    """As the original code pads: only where the length asks for it."""

    def judge(self, y: Tensor) -> list[tuple[Tensor, list[Tensor]]]:
        samples = y.shape[-1]
        if samples % 11 != 0:
            y = F.pad(y, (0, 11 - samples % 11), mode="reflect")
        x = y.unflatten(-1, (-1, 11))  # type: ignore[no-untyped-call]
        return [(torch.flatten(x, 1), [x])]


class _Counting(nn.Module):
    """A length used as a number of Python's."""

    def judge(self, y: Tensor) -> list[tuple[Tensor, list[Tensor]]]:
        x = F.pad(y, (0, sum(1 for _ in range(y.shape[-1]))), mode="reflect")
        return [(torch.flatten(x, 1), [x])]


class _Rounding(nn.Module):
    def judge(self, y: Tensor) -> list[tuple[Tensor, list[Tensor]]]:
        x = F.pad(y, (0, -int(y.shape[-1]) % 11), mode="reflect")
        return [(torch.flatten(x, 1), [x])]


@pytest.mark.parametrize("network", [_Branching(), _Counting(), _Rounding()])
def test_a_decision_on_the_length_is_an_error_and_not_frozen(network: nn.Module) -> None:
    with pytest.raises(
        HifiError, match=r"test_to_onnx.py:\d+: .* of a length|a branch on a length"
    ):
        to_onnx(network, ExportRequest(P11))


def test_a_decision_on_a_fixed_length_is_the_same_for_every_input() -> None:
    for samples in (770, 777):
        request = ExportRequest(P11, sizes={"samples": samples}, views=("scores",))
        content = _bytes(_Branching(), request)
        _compare(
            _Branching(),
            request,
            content,
            example_inputs(request, {"batch": 2, "samples": samples}),
        )


def test_a_network_with_norms_is_not_exported(mpd_11: Trained) -> None:
    with pytest.raises(HifiError, match="has a norm: fold it"):
        to_onnx(mpd_11.module, ExportRequest(P11))
