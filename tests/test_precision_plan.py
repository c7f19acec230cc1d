"""Plans by layer: what they mean for each network, what they refuse, and their file."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from export.precision.budget import GRAPH_PRECISIONS, PRECISIONS, GraphPrecision, budget_of
from export.precision.calibration import Calibration
from export.precision.layers import layer_of, resolve
from export.precision.plan import FP32, PrecisionPlan, parse_plan, plan_of, write_plan
from export.request import ExportRequest
from export.to_onnx import to_onnx
from hifigan_ref.errors import HifiError
from hifigan_ref.variant import Variant, all_variants, scope_of

P11 = Variant("mpd", "11")
MPD, MSD = Variant("mpd"), Variant("msd")

ANY_PRECISION = st.sampled_from(GRAPH_PRECISIONS)
SCOPES = [scope_of(v.family, v.member) for v in all_variants() if v.member]
LAYERS = st.builds("{}convs.{}".format, st.sampled_from(SCOPES), st.integers(0, 7)) | st.builds(
    "{}conv_post".format, st.sampled_from(SCOPES)
)
PLANS = st.builds(
    PrecisionPlan, ANY_PRECISION, st.dictionaries(LAYERS, ANY_PRECISION), st.text(max_size=20)
)


@given(PLANS)
def test_a_plan_survives_its_file(plan: PrecisionPlan) -> None:
    again = parse_plan(write_plan(plan), "plan.json")
    assert again == plan and hash(again) == hash(plan)


@given(PLANS)
def test_the_coarsest_layer_of_a_network_sets_its_budget(plan: PrecisionPlan) -> None:
    for variant in (P11, MPD, MSD):
        used = {plan.base, *plan.named(variant).values()}
        assert plan.budget_db(variant) == min(PRECISIONS[each].budget_db for each in used)
        assert set(plan.used(variant)) == used <= plan.held


def test_no_precision_at_all_is_float32() -> None:
    assert budget_of(()) == 100


def test_what_belongs_to_one_export_is_not_in_the_file() -> None:
    plan = PrecisionPlan("fp16", io="same", activations="uint8")
    assert parse_plan(write_plan(plan), "plan.json") == PrecisionPlan("fp16")
    found = parse_plan(write_plan(plan), "plan.json", plan.io)
    assert found == replace(plan, activations="int8")


def test_audio_is_told_in_the_file_and_not_taken_from_it() -> None:
    heard = Calibration(("/home/me/a.wav",), "1")
    for origin, told in (("by hand", "by hand, calibration: a.wav"), ("", "calibration: a.wav")):
        plan = PrecisionPlan("int8", origin=origin, calibration=heard)
        assert parse_plan(write_plan(plan), "plan.json") == PrecisionPlan("int8", origin=told)


def test_a_member_has_the_layers_of_its_scope_alone() -> None:
    layers: dict[str, GraphPrecision] = {
        "mpd_11.convs.0": "fp32", "mpd_2.convs.1": "int8", "msd_0.conv_post": "bf16",
    }  # fmt: skip
    plan = PrecisionPlan("fp16", layers)
    assert plan.named(P11) == {"convs.0": "fp32"}
    assert plan.named(MPD) == {"mpd_11.convs.0": "fp32", "mpd_2.convs.1": "int8"}
    assert plan.used(MSD) == ("fp16", "bf16") and plan.budget_db(MSD) == 38
    assert plan.used(P11) == ("fp32", "fp16") and plan.budget_db(MPD) == 20


def test_a_plan_has_a_short_name() -> None:
    assert FP32.name == "fp32"
    assert PrecisionPlan("int8", {"mpd_2.convs.1": "fp16"}).name == "mixed"
    assert PrecisionPlan("int8", {"mpd_2.convs.1": "fp32"}).name == "int8"


@pytest.mark.parametrize("base", GRAPH_PRECISIONS)
def test_audio_decides_something_for_all_that_is_not_float32(base: GraphPrecision) -> None:
    assert PrecisionPlan(base).calibrated == PrecisionPlan(base).yields == (base != "fp32")
    assert PrecisionPlan(base, {"mpd_2.convs.1": "int8"}).calibrated
    assert PrecisionPlan(base, {"mpd_2.convs.1": "fp16"}).calibrated


def test_audio_decides_nothing_of_bf16_where_each_layer_was_told() -> None:
    assert not PrecisionPlan("bf16", io="same").calibrated
    assert not PrecisionPlan("bf16", {"mpd_2.convs.1": "fp32"}).calibrated
    assert not PrecisionPlan("fp32", {"mpd_2.convs.1": "bf16"}).calibrated
    assert PrecisionPlan("fp16", io="same").calibrated, "whether it reaches"


def test_folders_are_not_told() -> None:
    plan = PrecisionPlan("int8", calibration=Calibration(("/home/me/a.wav", "b.wav"), "1"))
    assert plan.nameless.calibration == Calibration(("a.wav", "b.wav"), "1")


# ------------------------------------------------------------------------------------ its layers


@pytest.mark.parametrize("name", ["mpd", "msd"])
@pytest.mark.parametrize("base", GRAPH_PRECISIONS)
def test_every_layer_has_its_precision(
    folded: dict[str, nn.Module], name: str, base: GraphPrecision
) -> None:
    variant = Variant(name)
    model = to_onnx(folded[name], ExportRequest(variant))
    found = resolve(model, PrecisionPlan(base), variant)
    edges = {layer for layer in found if layer.endswith((".convs.0", ".conv_post"))}
    assert len(edges) == 2 * len(variant.members())
    for layer, precision in found.items():
        assert precision == ("fp32" if base == "int8" and layer in edges else base)


def test_a_named_layer_is_what_it_is_named_to_be(folded: dict[str, nn.Module]) -> None:
    model = to_onnx(folded["mpd"], ExportRequest(MPD))
    plan = PrecisionPlan("int8", {"mpd_2.convs.0": "int8", "mpd_3.convs.4": "bf16"})
    found = resolve(model, plan, MPD)
    assert (found["mpd_2.convs.0"], found["mpd_3.convs.4"]) == ("int8", "bf16")
    assert (found["mpd_3.convs.0"], found["mpd_2.convs.4"]) == ("fp32", "int8")


def test_a_layer_that_is_not_there_is_told_with_those_that_are(
    folded: dict[str, nn.Module],
) -> None:
    model = to_onnx(folded["mpd"], ExportRequest(MPD))
    plan = PrecisionPlan("fp16", {"mpd_2.convs.7": "fp32"})
    with pytest.raises(HifiError, match=r"names mpd_2.convs.7, which mpd does not.*mpd_2.convs.0"):
        resolve(model, plan, MPD)


def test_a_node_of_a_rewrite_belongs_to_its_layer() -> None:
    assert layer_of("convs.1.phase", ("convs.1", "convs.10")) == "convs.1"
    assert layer_of("convs.10.phase", ("convs.1", "convs.10")) == "convs.10"
    assert layer_of("conv", ("convs.1",)) is None


# --------------------------------------------------------------------------------------- refusals


def _refusal(text: str) -> str:
    with pytest.raises(HifiError) as caught:
        parse_plan(text, "p.json")
    assert str(caught.value).startswith("p.json") and "\n" not in str(caught.value)
    return str(caught.value)


def _record(**changes: object) -> str:
    return json.dumps(json.loads(write_plan(PrecisionPlan("fp16"))) | changes)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("{", "is no JSON"),
        ("[]", "is no precision plan: it has schema, origin, base and layers"),
        (_record(more=1), "is no precision plan: it has schema"),
        (_record(schema=2), "has schema 2, this version reads 1"),
        (_record(layers=[]), "layers are name: precision"),
        (_record(layers={"mpd_2.convs.1": 8}), "layers are name: precision"),
        (_record(base="fp8"), "precision 'fp8': choose from fp32, fp16, bf16, int8"),
        (_record(layers={"mpd_2.convs.1": "tf32"}), "precision 'tf32': choose from"),
        (_record(layers={"hubert.1": "fp16"}), "no network with a layer hubert.1: "),
    ],
)
def test_a_file_that_is_no_plan_is_refused(text: str, told: str) -> None:
    assert told in _refusal(text)


@pytest.mark.parametrize("base", ["fp32", "int8"])
def test_inputs_and_outputs_have_a_half_type_or_float32(base: GraphPrecision) -> None:
    with pytest.raises(HifiError, match=f"io types same as {base}: only a graph of fp16 or bf16"):
        PrecisionPlan(base, io="same")
    with pytest.raises(HifiError, match="io types same as mixed"):
        PrecisionPlan("fp16", {"mpd_2.convs.1": "bf16"}, io="same")
    with pytest.raises(HifiError, match="io types same as fp16: only a graph of .* alone"):
        PrecisionPlan("fp16", {"mpd_2.convs.1": "fp32"}, io="same")
    with pytest.raises(HifiError, match="io types 'half': choose from float32, same"):
        PrecisionPlan("fp16", io="half")  # type: ignore[arg-type]


def test_a_choice_is_a_name_or_a_file(tmp_path: Path) -> None:
    plan = PrecisionPlan("fp16", {"mpd_2.convs.1": "fp32"}, "by hand")
    path = tmp_path / "plan.json"
    path.write_text(write_plan(plan))
    assert plan_of(str(path)) == plan and plan_of("bf16", "same") == PrecisionPlan(
        "bf16", io="same"
    )
    told = r"no precision 'half': choose from fp32, fp16, bf16, int8, or a plan's \.json file"
    with pytest.raises(HifiError, match=told):
        plan_of("half")
    with pytest.raises(HifiError, match="cannot read the precision plan .*none.json"):
        plan_of(str(tmp_path / "none.json"))
    path.write_text(write_plan(plan), encoding="utf-8-sig")
    assert plan_of(str(path)) == plan, "a byte-order mark is no part of it"
    path.write_bytes(b"\xff\xfe{")
    with pytest.raises(HifiError, match="cannot read the precision plan .* UTF-16: save it as"):
        plan_of(str(path))


@pytest.mark.parametrize(("base", "smallest"), [("fp16", 11), ("bf16", 22), ("int8", 13)])
def test_an_opset_that_lacks_a_precision_is_told_with_the_smallest_that_has_it(
    base: GraphPrecision, smallest: int
) -> None:
    assert ExportRequest(P11, smallest, precision=PrecisionPlan(base))
    if smallest == 11:
        return
    told = f"opset {smallest - 1} has no {base} for these layers: choose {smallest} or more"
    for plan in (PrecisionPlan(base), PrecisionPlan("fp32", {"mpd_11.convs.4": base})):
        with pytest.raises(HifiError, match=told):
            ExportRequest(P11, smallest - 1, precision=plan)
        assert ExportRequest(MSD, smallest - 1, precision=plan) if plan.layers else True


@pytest.mark.parametrize("asked", [2.9, 0.0, -10.0, float("nan"), float("inf")])
def test_a_least_snr_at_which_a_graph_would_be_wrong_is_refused(asked: float) -> None:
    with pytest.raises(HifiError, match=f"a least SNR of {asked:g} dB: choose 3 or more"):
        ExportRequest(P11, min_snr_db=asked)
    assert ExportRequest(P11, min_snr_db=3.0).budget_db == 3
