"""Rewrites that go with a precision plan, and material that any of its parts can be made of."""

from dataclasses import replace
from importlib import resources

import numpy as np
import onnx_ir as ir
import pytest
from precise import array_of, checked, convolutions, precise, value_in
from torch import nn

from export import pipeline
from export.lowering import plan as plans
from export.lowering.lower import lower
from export.lowering.plan import PLAIN, LoweringPlan
from export.lowering.rule import Form
from export.precision.budget import GraphPrecision
from export.precision.calibration import CLIP
from export.precision.emulate import open_on_cpu
from export.precision.forms import lowering_for, merged
from export.precision.held import held
from export.precision.layers import resolve
from export.precision.material import Material, prepare, suiting, write
from export.precision.plan import PrecisionPlan
from export.precision.samples import fitting
from export.request import ExportRequest
from export.to_onnx import to_onnx
from export.verify import snr_db
from hifigan_ref.errors import HifiError
from hifigan_ref.variant import Variant

P11 = Variant("mpd", "11")
EIGHTHS = PrecisionPlan("int8")
EXACT = LoweringPlan("exact", {"mpd_11.convs.1": "fir-2-2", "mpd_11.convs.4": "fir-4-5"})
MOVED = LoweringPlan("moved", {"mpd_11.convs.1": "columns", "mpd_11.convs.2": "phase"})
BOTH = {"fp32": EXACT, "int8": MOVED}


def test_each_layer_is_written_as_suits_its_precision() -> None:
    mixed = PrecisionPlan("fp32", {"mpd_11.convs.1": "int8", "mpd_11.convs.3": "int8"})
    found = merged(BOTH, mixed)  # type: ignore[arg-type]
    assert found.layers == {"mpd_11.convs.1": "columns", "mpd_11.convs.4": "fir-4-5"}
    assert found.origin == "exact; moved"
    other = PrecisionPlan("int8", {"mpd_11.convs.1": "fp32"})
    layers = merged(BOTH, other).layers  # type: ignore[arg-type]
    assert layers == {"mpd_11.convs.1": "fir-2-2", "mpd_11.convs.2": "phase"}


def test_one_plan_for_all_stays_as_it_is() -> None:
    mixed = PrecisionPlan("fp32", {"mpd_11.convs.1": "int8"})
    assert merged({"fp32": EXACT, "int8": EXACT}, mixed) is EXACT
    assert merged({"int8": MOVED}, EIGHTHS) is MOVED


def test_a_backend_may_have_a_default_for_a_precision(
    monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("package")
    (folder / "defaults").mkdir()
    for name, plan in (("trt", EXACT), ("trt-int8", MOVED)):
        (folder / "defaults" / f"{name}.json").write_text(plans.write_plan(plan))
    monkeypatch.setattr(resources, "files", lambda _: folder)
    assert plans.plan_of("default", "trt-rtx", "int8") == MOVED
    assert plans.plan_of("default", "trt-rtx") == plans.plan_of("default", "trt", "bf16") == EXACT
    mixed = PrecisionPlan("fp32", {"mpd_11.convs.2": "int8"})
    assert lowering_for("default", "trt", mixed).layers == {
        **EXACT.layers,
        "mpd_11.convs.2": "phase",
    }
    assert lowering_for("none", "trt", mixed) == PLAIN
    assert lowering_for("default", "trt", EIGHTHS) == LoweringPlan(
        "exact; moved", MOVED.layers, back=EXACT.layers
    )
    (folder / "defaults" / "trt.json").unlink()
    assert lowering_for("default", "trt", EIGHTHS) == MOVED, "its one plan suits both"


def test_a_layer_that_goes_back_to_float32_goes_back_to_its_form_there(
    p11: nn.Module, plain: ir.Model
) -> None:
    inner = [f"mpd_11.convs.{number}" for number in range(1, 5)]
    lowering = LoweringPlan(
        "both", dict.fromkeys(inner, "columns"), back=dict.fromkeys(inner[1:], "longer")
    )
    request = ExportRequest(P11, precision=EIGHTHS, min_snr_db=20.0, lowering=lowering)
    told = pipeline.rewritten(to_onnx(p11, request), request)[1]
    layers = resolve(plain, told.precision, P11)
    less = {f"mpd_11.{name}" for name, precision in layers.items() if precision == "int8"}
    assert set() < less < set(inner)
    expected = dict.fromkeys(sorted(less), "columns")
    expected |= dict.fromkeys(sorted({*inner[1:]} - less), "longer")
    assert told.lowering == LoweringPlan("both", expected)
    alone = replace(request, precision=PrecisionPlan())
    assert pipeline.rewritten(to_onnx(p11, alone), alone)[1].lowering == LoweringPlan(
        "both", lowering.layers
    )


@pytest.fixture(scope="module")
def plain(p11: nn.Module) -> ir.Model:
    """Do not change it."""
    return to_onnx(p11, ExportRequest(P11))


def material(plain: ir.Model, **forms: Form) -> Material:
    named = {name.replace("_", "."): form for name, form in forms.items()}
    return prepare(plain, resolve(plain, EIGHTHS, P11), EIGHTHS, suiting(named))


def channels_given_back(model: ir.Model) -> list[str | None]:
    """Feature maps whose channels are multiplied by what they were divided by."""
    products = (node.name for node in model.graph if node.op_type == "Mul")
    return [name for name in products if name and name.startswith("fmap")]


def test_an_output_that_int8_layers_read_is_told_whole(plain: ir.Model) -> None:
    layers = resolve(plain, EIGHTHS, P11)
    made = write(replace(material(plain), scales={}), layers)
    assert not channels_given_back(made)
    told = [(value.name, value.dtype, value.shape) for value in made.graph.outputs]
    assert told == [(value.name, value.dtype, value.shape) for value in plain.graph.outputs]
    checked(made)


def test_nothing_is_left_of_int8_where_no_layer_is(plain: ir.Model) -> None:
    layers = dict.fromkeys(resolve(plain, EIGHTHS, P11), "fp32")
    made = write(material(plain, convs_4=("fir-4-5",)), layers)  # type: ignore[arg-type]
    expected = lower(plain, {"convs.4": ("fir-4-5",)})
    assert ir.to_proto(made).SerializeToString() == ir.to_proto(expected).SerializeToString()


def test_only_what_is_int8_reads_channels_that_were_made_alike(plain: ir.Model) -> None:
    layers = {**dict.fromkeys(resolve(plain, EIGHTHS, P11), "fp32"), "convs.2": "int8"}
    made = write(material(plain), layers)  # type: ignore[arg-type]
    assert channels_given_back(made) == ["fmap_1.usual"]
    before, after = convolutions(plain), convolutions(made)
    same = [
        name
        for name in before
        if name != "convs.2"
        and np.array_equal(
            array_of(value_in(before[name], 1)),  # type: ignore[arg-type]
            array_of(value_in(after[name], 1)),  # type: ignore[arg-type]
        )
    ]
    assert same == ["convs.0", "convs.3", "convs.4", "conv_post"], "convs.1 gives the loudness"


@pytest.mark.parametrize("form", [("columns",), ("phase",), ("columns", "phase")], ids="+".join)
def test_a_form_that_moves_values_changes_nothing_of_an_int8_layer(
    plain: ir.Model, form: Form
) -> None:
    layers = {**dict.fromkeys(resolve(plain, EIGHTHS, P11), "fp32"), "convs.3": "int8"}
    wave = fitting(plain, CLIP)[:1]
    found = []
    for forms in ({}, {"convs_3": form}):
        made = write(material(plain, **forms), layers)  # type: ignore[arg-type]
        assert any(node.op_type == "QuantizeLinear" for node in made.graph)
        session = open_on_cpu(ir.to_proto(made).SerializeToString())
        found.append(session.run(["fmap_3"], {"y": wave})[0])
    assert snr_db(found[0].astype(np.float64), found[1]) > 90


@pytest.mark.parametrize("precision", ["int8", "fp16"])
def test_a_form_for_a_layer_that_is_not_there_is_refused(
    p11: nn.Module, precision: GraphPrecision
) -> None:
    lowering = LoweringPlan("by hand", {"mpd_11.convs.9": "phase"})
    request = ExportRequest(P11, lowering=lowering, precision=PrecisionPlan(precision))
    with pytest.raises(HifiError, match=r"plan names convs\.9, which .* does not have"):
        precise(p11, request)


@pytest.mark.parametrize(
    ("plan", "yields"),
    [
        (PrecisionPlan("bf16"), True),
        (PrecisionPlan("fp16"), True),
        (PrecisionPlan("bf16", io="same"), False),
        (PrecisionPlan("bf16", {"mpd_11.convs.1": "fp32"}), False),
        (PrecisionPlan("int8", {"mpd_11.convs.1": "fp32"}), True),
        (PrecisionPlan(), False),
    ],
    ids=["bf16", "fp16", "same", "told", "int8", "fp32"],
)
def test_layers_yield_where_nobody_told_them(plan: PrecisionPlan, yields: bool) -> None:
    assert plan.yields is yields


def test_bf16_layers_yield_to_a_stricter_budget(p11: nn.Module) -> None:
    strict = ExportRequest(P11, 22, precision=PrecisionPlan("bf16"), min_snr_db=40.0)
    graph, made = to_onnx(p11, strict), precise(p11, strict)
    assert set(held(made).values()) == {"fp32", "bf16"}
    assert held(made)["conv_post"] == "fp32", "next to nothing to compute, a sixth of the error"
    wave = fitting(graph, CLIP)[:1]
    exact, found = (
        open_on_cpu(ir.to_proto(each).SerializeToString()).run(None, {"y": wave})
        for each in (graph, made)
    )
    assert all(snr_db(a.astype(np.float64), b) >= 40 for a, b in zip(exact, found, strict=True))
