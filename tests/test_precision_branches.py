"""Errors belong to the outputs that a layer reaches in the graph, whatever names say."""

import copy

import numpy as np
import onnx
import onnx.parser
import onnx.shape_inference
import onnx_ir as ir
import pytest

from export.fold import fold
from export.precision.branches import Branch, branches
from export.precision.keep import keep
from export.precision.layers import Layers, resolve
from export.precision.material import Material, prepare, suiting, write
from export.precision.noise import Meter, Noise, contributions
from export.precision.plan import PrecisionPlan
from export.request import ExportRequest
from export.to_onnx import to_onnx
from hifigan_ref.source import Source
from hifigan_ref.variant import Variant

BF16 = PrecisionPlan("bf16")
FIRST = ("mpd_2.convs.0", "mpd_2.convs.1")  # named as parts of networks that the graph is none of
OTHER = ("mpd_3.convs.0", "mpd_3.convs.1")
STACKS = """
["mpd_2.convs.0"] a0 = Conv <pads = [2, 2]> (y, wide)
["mpd_2.act"] a1 = LeakyRelu (a0)
["mpd_2.convs.1"] a2 = Conv (a1, sum)
["mpd_3.convs.0"] b0 = Conv <pads = [2, 2]> (y, near)
["mpd_3.act"] b1 = LeakyRelu (b0)
["mpd_3.convs.1"] b2 = Conv (b1, difference)
"""


def initializer(name: str, array: np.ndarray) -> str:
    shape, values = ", ".join(map(str, array.shape)), ", ".join(map(str, array.ravel()))
    return f"float[{shape}] {name} = {{{values}}}"


def graph(tail: str, outputs: str) -> ir.Model:
    """Two stacks of two convolutions on one waveform, of which the second is ill-conditioned."""
    wide = np.random.default_rng(0).standard_normal((3, 1, 5)).round(4)
    weights = {
        "wide": wide,
        "sum": np.ones((1, 3, 1)),
        "near": np.repeat(wide[:1], 3, axis=0) + 0.01 * wide,
        "difference": np.array([[[1.0], [-1.0], [0.0]]]),
    }
    held = ", ".join(initializer(*each) for each in weights.items())
    proto = onnx.parser.parse_model(
        '<ir_version: 10, opset_import: ["" : 22]>\n'
        f"g (float[N, 1, T] y) => ({outputs}) <{held}> {{{STACKS}{tail}}}"
    )
    return ir.from_proto(onnx.shape_inference.infer_shapes(proto))


def apart() -> ir.Model:
    return graph(
        "audio = Identity (a2)\nother = Identity (b2)", "float[N, 1, T] audio, float[N, 1, T] other"
    )


def test_layers_are_apart_where_their_outputs_do_not_meet() -> None:
    found = branches(apart().graph, (*FIRST, *OTHER))
    assert found == (Branch(FIRST, frozenset({"audio"})), Branch(OTHER, frozenset({"other"})))


def test_layers_that_share_an_output_are_one_branch_whatever_they_are_called() -> None:
    model = graph(
        "mpd_2_score = Identity (a1)\nmpd_3_score = Add (a2, b2)",
        "float[N, 3, T] mpd_2_score, float[N, 1, T] mpd_3_score",
    )
    (found,) = branches(model.graph, (*FIRST, *OTHER))
    assert set(found.layers) == {*FIRST, *OTHER}
    assert found.outputs == {"mpd_2_score", "mpd_3_score"}
    (last,) = branches(model.graph, FIRST[1:])
    assert last.outputs == {"mpd_3_score"}, "what comes before it does not hear it"


def test_a_layer_joins_branches_that_were_apart_without_it() -> None:
    model = graph(
        "audio = Identity (a2)\nother = Add (a0, b2)",
        "float[N, 1, T] audio, float[N, 3, T] other",
    )
    names = (FIRST[1], *OTHER)
    assert [each.layers for each in branches(model.graph, names)] == [FIRST[1:], OTHER]
    (found,) = branches(model.graph, (*names, FIRST[0]))
    assert set(found.layers) == {*names, FIRST[0]}


def test_a_layer_that_reaches_no_output_is_in_no_branch() -> None:
    model = graph("audio = Identity (a2)", "float[N, 1, T] audio")
    assert [each.layers for each in branches(model.graph, (*FIRST, *OTHER))] == [FIRST]


def test_the_exact_branch_loses_precision_and_the_other_keeps_it() -> None:
    """Outputs that begin with no member's name had no noise, and every choice was right."""
    model = apart()
    layers: Layers = dict.fromkeys((*FIRST, *OTHER), "bf16")
    kept = keep(prepare(model, layers, BF16, suiting({})), layers, 38.0)
    assert kept == {**dict.fromkeys(FIRST, "bf16"), OTHER[0]: "fp32", OTHER[1]: kept[OTHER[1]]}


@pytest.fixture(scope="module")
def ensemble() -> tuple[Material, Layers]:
    """The five periods, whose outputs are called a0, a1 and so on."""
    variant = Variant.parse("mpd")
    module = copy.deepcopy(Source().build(variant).module)
    fold(module)
    model = to_onnx(module, ExportRequest(variant))
    for number, output in enumerate(model.graph.outputs):
        output.name = f"a{number}"
    layers = resolve(model, BF16, variant)
    chosen: Layers = {
        name: precision if name.endswith(("convs.1", "convs.4")) else "fp32"
        for name, precision in layers.items()
    }
    return prepare(model, chosen, BF16, suiting({})), chosen


def test_each_layer_has_the_noise_that_it_makes_alone(ensemble: tuple[Material, Layers]) -> None:
    material, layers = ensemble
    waves = np.random.default_rng(0).standard_normal((2, 1, 1024), dtype=np.float32)
    meter = Meter(material.graph, (waves,))
    parts = contributions(meter, material, layers)
    assert set(parts) == {name for name, precision in layers.items() if precision == "bf16"}
    for name in ("mpd_2.convs.1", "mpd_11.convs.4"):
        alone = write(material, {**dict.fromkeys(layers, "fp32"), name: "bf16"})
        expected = meter.noise(alone)
        assert max(expected.values()) > 0
        assert parts[name] == expected


def test_branches_are_measured_side_by_side(
    ensemble: tuple[Material, Layers], monkeypatch: pytest.MonkeyPatch
) -> None:
    material, layers = ensemble
    meter = Meter(material.graph, (np.ones((1, 1, 256), np.float32),))
    passes: list[ir.Model] = []
    noise = meter.noise

    def counted(model: ir.Model) -> Noise:
        passes.append(model)
        return noise(model)

    monkeypatch.setattr(meter, "noise", counted)
    contributions(meter, material, layers)
    assert len(passes) == 2, "ten layers of five branches"
