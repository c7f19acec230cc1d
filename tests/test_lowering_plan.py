"""Plans: read, refused in words, carried by the files that were written by them."""

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import onnx
import onnx_ir as ir
import pytest

import cli
from export import artifact, pipeline
from export.builder import shape_of
from export.contract import ContractError
from export.lowering import plan as plans
from export.lowering.convolution import Convolution
from export.lowering.layouts import Graph
from export.lowering.plan import (
    PLAIN,
    LoweringPlan,
    parse_plan,
    plan_of,
    read_plan,
    write_plan,
)
from export.lowering.rule import Inner, moving, parse_form, rules
from export.lowering.rules.columns import Columns
from export.precision.budget import GRAPH_PRECISIONS, GraphPrecision
from export.precision.plan import PrecisionPlan
from export.request import ExportRequest
from export.targets import TARGETS
from fakes import Ran, run_main
from hifigan_ref.errors import HifiError
from hifigan_ref.seeded import Seeded
from hifigan_ref.source import Source
from hifigan_ref.trained import Trained
from hifigan_ref.variant import Variant, all_variants

PERIOD, SCALE = Variant("mpd", "11"), Variant("msd", "1")
OF_PERIOD = {
    "mpd_11.convs.0": "phase+columns",
    "mpd_11.convs.1": "columns+fir-2-2",
    "mpd_11.convs.2": "fir-4-2",
    "mpd_11.convs.3": "phase+rows",
    "mpd_11.convs.4": "fir-2-5",
    "mpd_11.conv_post": "fir-3-3",
}
BY_OPSET = {
    11: {"mpd_11.convs.4": "rows"},
    13: {"mpd_11.convs.4": "columns+fir-4-5"},
    18: {"mpd_11.convs.4": "fir-3-5"},
    26: {"mpd_11.convs.2": "columns+fir-3-2"},
}
OF_SCALE = {
    "msd_1.convs.0": "fir-2-2+fir-2-2",
    "msd_1.convs.1": "merge-2+phase+wide",
    "msd_1.convs.2": "block-16+wide",
    "msd_1.convs.3": "fir-4-4+wide",
    "msd_1.convs.4": "merge-4",
    "msd_1.convs.5": "fir-2-4+wide",
    "msd_1.convs.6": "fir-3-5",
    "msd_1.conv_post": "longer+wide",
}
OF_GROUPS = {
    f"msd_1.convs.{number}": f"matmul-{outputs}"
    for number, outputs in enumerate((32, 16, 8, 4, 2), start=1)
}
NOWHERE = {"block-8"}  # no layer of the networks is short of less than half a block of 8

export = partial(run_main, cli.export_main)


def text(layers: Any = None, schema: Any = 1, origin: Any = "by hand", **more: Any) -> str:
    return json.dumps({"schema": schema, "origin": origin, "layers": layers or {}, **more})


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def drawn(mpd_11: Trained, monkeypatch: pytest.MonkeyPatch) -> None:
    """The period's weights are there already."""
    known = {PERIOD: mpd_11}
    monkeypatch.setattr(Source, "build", lambda _, variant: known[variant])


# forms by node


def test_a_plan_serves_an_ensemble_and_its_members() -> None:
    plan = LoweringPlan("", {"mpd_11.convs.4": "phase+wide", "mpd_2.convs.1": "columns"})
    plan = replace(plan, layers={**plan.layers, "msd_1.convs.0": "wide"})
    assert plan.forms(Variant("mpd", "11")) == {"convs.4": ("phase", "wide")}
    assert plan.forms(Variant("mpd", "2")) == {"convs.1": ("columns",)}
    assert plan.forms(Variant("mpd")) == {
        "mpd_11.convs.4": ("phase", "wide"),
        "mpd_2.convs.1": ("columns",),
    }
    assert plan.forms(Variant("msd", "1")) == {"convs.0": ("wide",)}
    assert plan.forms(Variant("mpd", "3")) == plan.forms(Variant("msd", "0")) == {}
    assert PLAIN.forms(Variant("mpd")) == {}


def test_a_member_is_not_taken_for_one_whose_name_begins_alike() -> None:
    plan = LoweringPlan("", {"mpd_2.convs.0": "phase", "mpd_22.convs.0": "rows"})
    assert plan.forms(Variant("mpd", "2")) == {"convs.0": ("phase",)}


@pytest.mark.parametrize("variant", all_variants(), ids=str)
def test_a_layer_has_one_name_in_plans(variant: Variant) -> None:
    member = variant.members()[-1]
    node = "convs.3" if variant.member else f"{variant.family}_{member}.convs.3"
    name = variant.in_plans(node)
    assert name == f"{variant.family}_{member}.convs.3"
    assert LoweringPlan("", {name: "plain"}).forms(variant) == {node: ()}


def test_an_unknown_form_in_a_plan_made_by_a_program_is_refused() -> None:
    with pytest.raises(HifiError, match="no rewrite 'fast': choose from plain, "):
        LoweringPlan("", {"mpd_11.convs.4": "fast"}).forms(PERIOD)


# files


def test_a_plan_is_read_as_it_was_written(tmp_path: Path) -> None:
    plan = LoweringPlan("tuned for ort-cpu", {**OF_PERIOD, **OF_SCALE})
    (tmp_path / "plan.json").write_text(write_plan(plan))
    assert read_plan(tmp_path / "plan.json") == plan
    assert plan_of(str(tmp_path / "plan.json"), "") == plan
    assert write_plan(plan).splitlines()[3] == '  "layers": {'


def test_what_cannot_be_read_is_told(tmp_path: Path) -> None:
    (tmp_path / "binary").write_bytes(b"\xff\xfe\x00")
    for path in (tmp_path / "nothing.json", tmp_path, tmp_path / "binary"):
        with pytest.raises(HifiError) as told:
            read_plan(path)
        assert str(told.value).startswith(f"cannot read the lowering plan {path}: ")
        assert str(told.value).endswith(": give none, default, or a file of hifi-bench tune")


def test_a_byte_order_mark_is_no_part_of_a_plan(tmp_path: Path) -> None:
    plan = LoweringPlan("by hand", {"mpd_2.convs.1": "columns"})
    (tmp_path / "plan.json").write_text(write_plan(plan), encoding="utf-8-sig")
    assert read_plan(tmp_path / "plan.json") == plan
    (tmp_path / "plan.json").write_text(write_plan(plan), encoding="utf-16")
    with pytest.raises(HifiError, match="it is text in UTF-16: save it as UTF-8"):
        read_plan(tmp_path / "plan.json")


NO_PLANS = {
    "": "no JSON",
    '{"schema": 1,': "no JSON",
    "[]": "no lowering plan: it has schema, origin and layers",
    '"none"': "no lowering plan: it has schema, origin and layers",
    '{"schema": 1, "layers": {}}': "it has schema, origin and layers",
    text(more=1): "it has schema, origin and layers",
    text(schema=2): "has schema 2, this version reads 1: tune again",
    text(["mpd_11.convs.4"]): "origin is a text, layers are name: form",
    text({"mpd_11.convs.4": 3}): "origin is a text, layers are name: form",
    text({"mpd_11.convs.4": None}): "origin is a text, layers are name: form",
    text(origin=None): "origin is a text, layers are name: form",
    text({"mpd_11.convs.4": "wide+fast"}): "x.json: layer mpd_11.convs.4: no rewrite 'fast'",
    text({"mpd_11.convs.4": ""}): "x.json: layer mpd_11.convs.4: no rewrite ''",
    text({"convs.4": "wide"}): "no network with a layer convs.4",
    text({"mpd_13.convs.4": "wide"}): "no network with a layer mpd_13.convs.4",
    text({"mpd-11.convs.4": "wide"}): "with that of a member, as in mpd_2.convs.4",
}


@pytest.mark.parametrize("given", NO_PLANS)
def test_what_is_no_plan_is_refused_in_words(given: str) -> None:
    with pytest.raises(HifiError) as told:
        parse_plan(given, "x.json")
    assert str(told.value).startswith("x.json") and NO_PLANS[given] in str(told.value)
    assert "\n" not in str(told.value)


# choices


def test_none_is_the_plain_graph() -> None:
    assert plan_of("none", "") is PLAIN and PLAIN.layers == {} and PLAIN.origin == "none"


@pytest.fixture
def defaults(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A package whose defaults are those that a test writes."""
    (tmp_path / "defaults").mkdir()
    monkeypatch.setattr("export.lowering.plan.resources.files", lambda _: tmp_path)
    return tmp_path / "defaults"


def test_a_default_is_that_of_its_backend(defaults: Path) -> None:
    (defaults / "ort-cpu.json").write_text(text({"mpd_11.convs.4": "rows"}))
    (defaults / "trt.json").write_text(text({"mpd_11.convs.4": "phase"}))
    assert plan_of("default", "ort-cpu").layers == {"mpd_11.convs.4": "rows"}
    for target in ("trt", "trt-rtx", "ort-trt"):
        assert plan_of("default", target).layers == {"mpd_11.convs.4": "phase"}


def test_a_backend_without_a_default_is_told_those_that_have_one(defaults: Path) -> None:
    nobody = "there is no default plan for 'openvino': give a plan of hifi-bench tune"
    with pytest.raises(HifiError, match=nobody):
        plan_of("default", "openvino")
    (defaults / "ort-cpu.json").write_text(text())
    for target in ("openvino", "torch", ""):
        with pytest.raises(HifiError, match=f"'{target}': choose from ort-cpu, or give a plan of"):
            plan_of("default", target)


def test_a_damaged_default_is_told_by_its_name(defaults: Path) -> None:
    (defaults / "ort-cpu.json").write_text("{")
    with pytest.raises(HifiError, match="the default plan for ort-cpu is no JSON"):
        plan_of("default", "ort-cpu")


@pytest.mark.parametrize("precision", GRAPH_PRECISIONS)
@pytest.mark.parametrize("target", TARGETS)
def test_every_committed_default_is_a_plan(target: str, precision: GraphPrecision) -> None:
    if target in plans._defaults(precision):
        assert plan_of("default", target, precision).layers
    else:
        with pytest.raises(HifiError, match=f"there is no default plan for '{target}': "):
            plan_of("default", target)


def test_a_default_of_a_precision_is_of_forms_that_suit_it() -> None:
    found = plan_of("default", "openvino", "int8")
    assert found != plan_of("default", "openvino") and "precision=int8" in found.origin
    for layer, form in found.layers.items():
        edge = layer.endswith((".convs.0", ".conv_post"))
        assert edge or moving(parse_form(form)) == parse_form(form), layer


# exported files


def refused(ran: Ran, *told: str, code: int = 1) -> None:
    assert (ran.code, ran.out, ran.err.count("\n")) == (code, "", 1), ran
    assert ran.err.startswith("error: ") and all(each in ran.err for each in told), ran.err


def test_default_needs_a_backend_that_there_is(folder: Path) -> None:
    refused(
        export("onnx", "--lowering", "default"),
        "--lowering default of which backend: add --for ort-cpu or ",
    )
    for given in ((), ("--lowering", "none"), ("--lowering", "default")):
        ran = export("onnx", *given, "--for", "cuda")
        refused(ran, "choose from ", "ort-cpu, openvino, ", code=2)
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize(
    ("layers", "told"),
    [
        ({"mpd_11.convs.9": "rows"}, "names convs.9, which mpd-11 does not have: it has convs.0, "),
        ({"mpd_11.convs.4": "phase"}, "convs.4 cannot be written as phase: it has no stride"),
    ],
)
@pytest.mark.usefixtures("drawn")
def test_what_a_network_does_not_have_is_refused(
    folder: Path, layers: dict[str, str], told: str
) -> None:
    (folder / "plan.json").write_text(text(layers))
    refused(export("onnx", "--period", 11, "--lowering", "plan.json"), told)
    assert list((folder / "artifacts").glob("*")) == []


@pytest.mark.parametrize("opset", BY_OPSET)
@pytest.mark.usefixtures("drawn")
def test_a_period_in_other_forms_at_every_opset(folder: Path, opset: int) -> None:
    layers = {**OF_PERIOD, **BY_OPSET[opset], **OF_SCALE}
    (folder / "plan.json").write_text(text(layers))
    ran = export("onnx", "--period", 11, "--opset", opset, "--lowering", "plan.json")
    assert (ran.code, ran.err) == (0, ""), ran
    made = artifact.load(folder / "artifacts" / "mpd-11.onnx")
    assert made.manifest.lowering == LoweringPlan("by hand", layers)
    assert made.describe()["lowering"] == {"origin": "by hand", "layers": layers}
    assert json.loads((folder / "artifacts" / "mpd-11.json").read_text()) == made.describe()
    model = onnx.load(made.path)
    assert model.opset_import[0].version == opset
    kinds = [node.op_type for node in model.graph.node]
    assert "ConvTranspose" in kinds and "Transpose" in kinds


def test_a_scale_in_other_forms(tmp_path: Path) -> None:
    graph = exported(OF_SCALE, tmp_path)
    assert {3, 4} <= {len(tensor.dims) for tensor in graph.initializer}


def test_the_groups_of_a_scale_as_matrix_products(tmp_path: Path) -> None:
    kinds = [node.op_type for node in exported(OF_GROUPS, tmp_path).node]
    assert kinds.count("MatMul") == 5 and kinds.count("Conv") == 3


OF_GENERATOR = {
    "generator-v3.ups.0": "polyphase+wide",
    "generator-v3.ups.2": "polyphase",
    "generator-v3.resblocks.3.convs.1": "fold+columns",
}


def test_a_generator_by_phases_and_folds(tmp_path: Path) -> None:
    graph = exported(OF_GENERATOR, tmp_path, Variant("generator-v3"))
    kinds = [node.op_type for node in graph.node]
    assert kinds.count("ConvTranspose") == 1
    folded = [node for node in graph.node if node.name.startswith("resblocks.3.convs.1.fold")]
    assert "Conv" in {node.op_type for node in folded}


def test_bf16_has_transposed_layers_apart_unless_a_plan_says_plain(tmp_path: Path) -> None:
    variant, plan = Variant("generator-v3"), PrecisionPlan("bf16")
    trained, told = Seeded(0).build(variant), {"generator-v3.ups.1": "plain"}
    request = ExportRequest(
        variant, 22, lowering=LoweringPlan("by hand", told), precision=plan, min_snr_db=20
    )
    made = pipeline.export_onnx(request, trained, tmp_path / "v3.onnx", False)
    kinds = [node.op_type for node in onnx.load(made.artifact.path).graph.node]
    assert kinds.count("ConvTranspose") == 1
    apart = dict.fromkeys(("generator-v3.ups.0", "generator-v3.ups.2"), "polyphase")
    assert dict(made.artifact.manifest.lowering.layers) == told | apart


def exported(layers: dict[str, str], folder: Path, variant: Variant = SCALE) -> onnx.GraphProto:
    request = ExportRequest(variant, opset=11, lowering=LoweringPlan("by hand", layers))
    path = folder / f"{variant}.onnx"
    made = pipeline.export_onnx(request, Seeded(0).build(variant), path, False)
    assert made.verification.snr_db > 100
    return onnx.load(made.artifact.path).graph


def test_every_rewrite_is_used_in_these_plans() -> None:
    layers = (OF_PERIOD, OF_SCALE, OF_GROUPS, OF_GENERATOR, *BY_OPSET.values())
    forms = [form for each in layers for form in each.values()]
    assert {name for form in forms for name in form.split("+")} == set(rules()) - NOWHERE


@dataclass(frozen=True)
class Foreign(Columns):
    """Leaves a node that no network has, or a product whose weight is computed."""

    op_type: str = "BitwiseAnd"

    def rewrite(self, graph: Graph, conv: Convolution, x: ir.Value, inner: Inner) -> ir.Value:
        y = super().rewrite(graph, conv, x, inner)
        foreign = graph.op("foreign", self.op_type, [y, y], shape_of(y))
        return graph.op("sum", "Add", [y, foreign], shape_of(y))


class OtherType(Columns):
    """Loses the type of what it leaves."""

    def rewrite(self, graph: Graph, conv: Convolution, x: ir.Value, inner: Inner) -> ir.Value:
        y = super().rewrite(graph, conv, x, inner)
        y.dtype = ir.DataType.DOUBLE
        return y


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        (Foreign(), r"foreign operations \['BitwiseAnd'\]"),
        (Foreign(op_type="Conv"), "foreign: weight is computed in the graph"),
        (OtherType(), "output fmap_5 is DOUBLE"),
    ],
)
def test_a_rewrite_that_leaves_the_contract_writes_nothing(
    mpd_11: Trained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, wrong: Columns, told: str
) -> None:
    monkeypatch.setitem(rules(), "columns", wrong)
    request = ExportRequest(PERIOD, lowering=LoweringPlan("", {"mpd_11.conv_post": "columns"}))
    with pytest.raises(ContractError, match=told):
        pipeline.export_onnx(request, mpd_11, tmp_path / "mpd-11.onnx", durable=False)
    assert list(tmp_path.iterdir()) == []


# manifests


@pytest.fixture(scope="module")
def lowered(mpd_11: Trained, tmp_path_factory: pytest.TempPathFactory) -> Path:
    plan = LoweringPlan("by hand", {"mpd_11.convs.4": "rows"})
    place = tmp_path_factory.mktemp("lowered") / "mpd-11.onnx"
    pipeline.export_onnx(ExportRequest(PERIOD, lowering=plan), mpd_11, place, durable=False)
    return place


def changed(path: Path, folder: Path, change: Callable[[dict[str, Any]], object]) -> Path:
    """A copy whose manifest was changed and sealed again."""
    proto = onnx.load(path)
    record = json.loads(next(e.value for e in proto.metadata_props if "manifest" in e.key))
    change(record)
    held = json.dumps(record)
    seal = hashlib.sha256(held.encode()).hexdigest()
    values: Mapping[str, str] = {artifact.METADATA_KEY: held, artifact.SEAL_KEY: seal}
    for entry in proto.metadata_props:
        entry.value = values[entry.key]
    copy = folder / path.name
    onnx.save(proto, copy)
    return copy


def test_a_manifest_from_before_there_were_plans_is_read(lowered: Path, tmp_path: Path) -> None:
    copy = changed(lowered, tmp_path, lambda record: record.pop("lowering"))
    assert artifact.load(copy).manifest.lowering == PLAIN
    sidecar = json.loads(artifact.sidecar(lowered).read_text())
    assert sidecar.pop("lowering")["layers"] == {"mpd_11.convs.4": "rows"}
    artifact.sidecar(copy).write_text(json.dumps(sidecar))
    told = artifact.told(copy)
    assert told is not None and told.manifest.lowering == PLAIN


def test_a_damaged_plan_in_a_manifest_is_refused(lowered: Path, tmp_path: Path) -> None:
    copy = changed(lowered, tmp_path, lambda record: record.update(lowering={"layers": 3}))
    with pytest.raises(HifiError, match="is damaged or of another version"):
        artifact.load(copy)
