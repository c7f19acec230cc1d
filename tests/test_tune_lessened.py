"""Forms in a precision that the file holds: tried in it, and only those that suit it."""

import random
from collections import Counter
from functools import partial

import numpy as np
import onnx_ir as ir
import pytest
from clockwork import Clockwork
from conftest import Given

from bench import backend
from bench.geometry import CONVOLUTION, Geometry
from bench.proof import NotAsAskedError
from bench.tune import search as searches
from bench.tune import trial
from bench.tune.layer_file import exact, layer_graph
from bench.tune.lessened import lessened
from bench.tune.search import Wish, search
from bench.tune.trial import Bench, try_forms
from bench.tune.whole import Whole
from export.cache import cached_export
from export.lowering.rule import Form, parse_form, rules
from export.precision.emulate import open_on_cpu
from export.precision.plan import PrecisionPlan
from export.request import ExportRequest
from export.verify import snr_db
from fakes import fake_report
from hifigan_ref.source import Source
from hifigan_ref.trained import Trained
from hifigan_ref.variant import Variant

SCALE = Geometry((2, 16, 96), (16, 32), (5,), (2,), (1,), (2,), (2,), 2, 0.1)
SCORE = Geometry((2, 32, 24), (32, 1), (3,), (1,), (1,), (1,), (1,), 1, None)
FORMS = [parse_form(text) for text in ("plain", "wide", "phase", "phase+wide", "merge-2")]
P11 = Variant("mpd", "11")


def types(model: ir.Model) -> Counter[str]:
    return Counter(node.op_type for node in model.graph)


@pytest.mark.parametrize("form", FORMS, ids="+".join)
@pytest.mark.parametrize(("precision", "least"), [("int8", 33), ("bf16", 50), ("fp16", 65)])
def test_a_layer_alone_holds_the_precision(form: Form, precision: str, least: float) -> None:
    plan = PrecisionPlan(precision)  # type: ignore[arg-type]
    model = layer_graph(SCALE, form, 22)
    made = lessened(model, {CONVOLUTION: plan.of(SCALE.channels)}, plan)
    (conv,) = (node for node in made.graph if node.op_type == "Conv")
    if precision == "int8":
        assert types(made)["QuantizeLinear"] == 1 and types(made)["DequantizeLinear"] == 2
    else:
        kind = {"bf16": ir.DataType.BFLOAT16, "fp16": ir.DataType.FLOAT16}[precision]
        assert conv.outputs[0].dtype == kind and made.graph.outputs[0].dtype == ir.DataType.FLOAT
    noise = np.random.default_rng(0).standard_normal((2, 1, 16 * 96), dtype=np.float32)
    content = ir.to_proto(made).SerializeToString()
    (found,) = open_on_cpu(content).run(None, {"y": noise})
    assert least < snr_db(exact(SCALE, noise), found) < least + 20


def test_float32_is_left_as_it_is() -> None:
    model = layer_graph(SCALE, ("fir-2-2",))
    before = types(model)
    assert types(lessened(model, {CONVOLUTION: "fp32"}, PrecisionPlan())) == before


def test_the_score_of_an_int8_network_stays_in_float32() -> None:
    plan = PrecisionPlan("int8")
    assert plan.of(SCORE.channels) == "fp32" and plan.of(SCALE.channels) == "int8"
    bench = Bench("openvino:precision=int8", 1, np.inf, 0.0, random.Random(0))
    assert bench.plan == PrecisionPlan("int8", activations="uint8")
    (plain,) = try_forms(bench, SCORE, ("a",), [()]).trials
    assert isinstance(plain.snr_db, float) and plain.snr_db > 100


def test_openvino_runs_the_forms_in_int8() -> None:
    bench = Bench("openvino:precision=int8", 1, np.inf, 28.0, random.Random(0))
    found = try_forms(bench, SCALE, ("a",), FORMS).trials
    assert [each.form for each in found] == ["plain", "wide", "phase", "phase+wide", "merge-2"]
    for each in found:
        assert isinstance(each.snr_db, float) and 28 < each.snr_db < 53, each
        assert each.seconds


@pytest.mark.parametrize(("spec", "opset"), [("trt:precision=bf16", 22), ("openvino", 18)])
def test_files_are_of_an_opset_that_has_the_precision(spec: str, opset: int) -> None:
    assert Bench(spec, 1, np.inf, 0.0, random.Random(0)).opset == opset


def test_what_adds_up_is_tried_in_float32_alone(
    monkeypatch: pytest.MonkeyPatch, mpd_11: Trained
) -> None:
    tried: dict[str, set[str]] = {}

    def listen(_: Bench, __: Geometry, names: tuple[str, ...], forms: list[Form]) -> None:
        told = {name for form in forms for name in form}
        tried[names[0]] = {name for name in told if rules()[name].sums}
        if len(tried) == 6:
            raise KeyboardInterrupt

    monkeypatch.setattr(searches, "try_forms", listen)
    monkeypatch.setattr("bench.tune.kept.write", lambda *_: None)
    monkeypatch.setattr(searches, "measure_ceilings", lambda _: ())
    monkeypatch.setattr(Source, "build", lambda *_: mpd_11)
    sizes = {"batch": 1, "samples": 333}
    wish = Wish("openvino:precision=int8", (P11,), sizes, (), 1, Source(), again=True)
    with pytest.raises(KeyboardInterrupt):
        list(search(wish, fake_report().machine))
    edges = {"mpd_11.convs.0", "mpd_11.conv_post"}
    assert {name for name, sums in tried.items() if sums} == edges and len(tried) == 6


@pytest.mark.parametrize("plan", [{}, {"mpd_11.convs.3": "columns"}], ids=["plain", "lowered"])
def test_a_whole_graph_is_timed_in_the_precision(
    monkeypatch: pytest.MonkeyPatch, mpd_11: Trained, plan: dict[str, str]
) -> None:
    runtime = Clockwork(lambda _: 1.0)
    monkeypatch.setattr(backend, "backends", runtime.backends)
    weights = Given(mpd_11)
    request = ExportRequest(P11, sizes={"batch": 1, "samples": 512})
    file = cached_export(request, weights.identity, weights.build)
    seen: list[Counter[str]] = []
    bench = runtime.bench()
    opened = partial(Bench.open, bench)

    def look(_: Bench, file: object, *rest: object) -> object:
        seen.append(types(ir.load(file.path)))  # type: ignore[attr-defined]
        return opened(file, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(trial.Bench, "open", look)
    inside = ExportRequest(P11, sizes={"batch": 1, "samples": 512}, precision=PrecisionPlan("int8"))
    Whole(bench, inside, ir.load(file.path), file).ratios({"": plan})
    assert seen[0]["QuantizeLinear"] == 4, "one for each layer but the first and the last"
    Whole(bench, request, ir.load(file.path), file).ratios({"": plan})
    assert "QuantizeLinear" not in seen[1]


def test_a_runtime_that_computes_in_another_precision_is_not_tuned() -> None:
    bench = Bench("ort-cpu:precision=int8", 1, np.inf, 28.0, random.Random(0))
    with pytest.raises(NotAsAskedError) as refused:
        try_forms(bench, SCALE, ("a",), [()])
    assert any(claim.asked != claim.found for claim in refused.value.claims)
