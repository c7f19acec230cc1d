"""Layers as problems: what is the same problem, how it is told, what is worth a trial."""

import numpy as np
import onnx_ir as ir
import onnxruntime as ort
import pytest
from conftest import Given

from bench.geometry import Geometry, geometries
from bench.tune.forms import LAST, MOST_PRODUCTS, forms_of
from bench.tune.layer_file import exact, layer_graph
from export.cache import cached_export
from export.lowering.rule import Form, form_text, rules
from export.lowering.rules.fir import Fir
from export.request import ExportRequest
from export.verify import snr_db
from hifigan_ref.trained import Trained
from hifigan_ref.variant import Variant

REQUEST = ExportRequest(Variant("mpd", "11"), sizes={"batch": 2, "samples": 8192})
SCALE = Geometry((2, 128, 4096), (128, 256), (41,), (2,), (1,), (20,), (20,), 16, 0.1)
PERIOD = Geometry((2, 32, 249, 11), (32, 128), (5, 1), (3, 1), (1, 1), (2, 0), (2, 0), 1, 0.1)
LATE = Geometry((2, 1024, 28, 5), (1024, 1024), (5, 1), (1, 1), (1, 1), (2, 0), (2, 0), 1, 0.1)


@pytest.fixture(scope="module")
def model(mpd_11: Trained) -> ir.Model:
    weights = Given(mpd_11)
    return ir.load(cached_export(REQUEST, weights.identity, weights.build).path)


def test_the_layers_of_a_member_are_named_as_in_plans(model: ir.Model) -> None:
    found = geometries(model, REQUEST)
    assert list(found) == [f"mpd_11.convs.{i}" for i in range(5)] + ["mpd_11.conv_post"]
    assert found["mpd_11.convs.1"] == PERIOD
    assert found["mpd_11.conv_post"].slope is None
    assert {each.slope for each in found.values()} == {0.1, None}


def test_the_same_problem_under_another_name_is_the_same(model: ir.Model) -> None:
    request = ExportRequest(Variant("mpd"), sizes={"batch": 2, "samples": 8192})
    names = {node.name for node in model.graph if node.op_type == "Conv"}
    assert list(geometries(model, request)) == [n for n in geometries(model, request) if n in names]
    assert set(geometries(model, request).values()) == set(geometries(model, REQUEST).values())


def test_a_problem_is_told_in_words() -> None:
    assert str(SCALE) == "128 -> 256, 41 taps, stride 2, 16 groups on 2 x 128 x 4096"
    assert str(LATE) == "1024 -> 1024, 5 taps on 2 x 1024 x 28 x 5"
    assert str(PERIOD) == "32 -> 128, 5 taps, stride 3 on 2 x 32 x 249 x 11"


def test_its_weights_are_drawn_alike_and_keep_the_signals_power() -> None:
    conv = SCALE.convolution()
    again = Geometry(*vars(SCALE).values()).convolution()
    assert (conv.weight == again.weight).all() and conv.bias is not None
    assert conv.weight.shape == (256, 8, 41) and conv.group == 16 and conv.strides == (2,)
    assert (conv.weight == conv.weight.astype(np.float32)).all()
    assert np.square(conv.weight).sum() / 256 == pytest.approx(1, rel=0.05)


def test_a_dilated_layer_is_tried_with_its_dilation() -> None:
    dilated = Geometry((2, 4, 100), (4, 8), (5,), (2,), (3,), (1,), (1,), 2, 0.1)
    assert str(dilated) == "4 -> 8, 5 taps, stride 2, dilation 3, 2 groups on 2 x 4 x 100"
    model = layer_graph(dilated, ())
    assert list(geometries(model, REQUEST).values()) == [dilated]
    noise = np.random.default_rng(0).standard_normal((2, 1, 400)).astype(np.float32)
    session = ort.InferenceSession(ir.to_proto(model).SerializeToString())
    (found,) = session.run(None, {"y": noise})
    expected = exact(dilated, noise)
    assert found.shape == expected.shape == (2, 8, (100 + 2 - 3 * 4 - 1) // 2 + 1)
    assert snr_db(expected, found) > 110


@pytest.mark.parametrize("geometry", [SCALE, PERIOD, LATE], ids=str)
def test_forms_are_of_rewrites_each_once_the_plain_one_first(geometry: Geometry) -> None:
    forms = forms_of(geometry)
    assert forms[0] == () and len(set(forms)) == len(forms)
    assert {name for form in forms for name in form} <= set(rules())


def names(forms: list[Form]) -> set[str]:
    return {form_text(form) for form in forms}


def test_a_scale_is_tried_as_an_image_too() -> None:
    found = names(forms_of(SCALE))
    assert {
        f"{form}+{LAST}" if form != "plain" else LAST for form in found if LAST not in form
    } == {form for form in found if LAST in form}
    assert {"phase+wide", "phase+merge-2+wide", "merge-4", "block-16"} <= found
    assert not any("columns" in form or "rows" in form for form in found)


def test_a_period_is_tried_in_columns_too() -> None:
    found = names(forms_of(PERIOD))
    assert {"columns", "columns+phase", "phase+rows", "columns+fir-4-2"} <= found
    assert not any("merge" in form or LAST in form for form in found)


def test_matrix_products_are_for_groups_and_come_alone() -> None:
    found = names(forms_of(SCALE, products=True)) - names(forms_of(SCALE))
    assert found == {f"matmul-{outputs}" for outputs in (2, 4, 8, 16, 32)}
    assert forms_of(LATE, products=True) == forms_of(LATE)


def test_a_stride_alone_is_split() -> None:
    assert not any("phase" in form for form in names(forms_of(LATE)))
    assert "rows" in names(forms_of(LATE))


def test_filters_with_many_products_are_left_out() -> None:
    for geometry, taps in ((LATE, 5), (PERIOD, 2), (SCALE, 21)):
        filters = {name for form in forms_of(geometry) for name in form if name.startswith("fir")}
        counts = {
            name: rule.products(taps) for name, rule in rules().items() if isinstance(rule, Fir)
        }
        assert filters and max(counts[f] for f in filters) <= MOST_PRODUCTS * min(
            counts[f] for f in filters
        )
    assert {"fir-4-5", "fir-3-5"} <= {n for form in forms_of(LATE) for n in form}


def test_few_taps_leave_no_filter() -> None:
    one = Geometry((1, 4, 9), (4, 4), (1,), (1,), (1,), (0,), (0,), 1, None)
    assert names(forms_of(one)) == {
        "plain",
        "wide",
        "block-8",
        "block-16",
        "longer",
        "block-8+wide",
        "block-16+wide",
        "longer+wide",
    }
