"""How exact combinations are on other speech: the base's own rounding counts, and parts add."""

import copy
from functools import cache

import numpy as np
import pytest

from bench.mix.blocks import Assigned
from bench.mix.elsewhere import Elsewhere
from export.fold import fold
from export.precision.budget import GraphPrecision
from export.precision.layers import resolve
from export.precision.material import prepare, suiting
from export.precision.plan import PrecisionPlan
from export.request import ExportRequest
from export.to_onnx import to_onnx
from hifigan_ref.source import Source
from hifigan_ref.variant import Variant

PERIOD = Variant("mpd", "11")
INNER = tuple(f"convs.{i}" for i in range(1, 5))
LAST: Assigned = {"convs.4": "int8"}


@cache
def elsewhere(base: GraphPrecision) -> Elsewhere:
    module = copy.deepcopy(Source().build(PERIOD).module)
    fold(module)
    model = to_onnx(module, ExportRequest(PERIOD))
    plan = PrecisionPlan("int8", activations="uint8")
    least = resolve(model, plan, PERIOD)
    material = prepare(model, least, plan, suiting({}))
    return Elsewhere(material, dict.fromkeys(least, base), [((name,), "int8") for name in INNER])


def test_parts_add_to_nearly_the_whole() -> None:
    whole: Assigned = dict.fromkeys(INNER, "int8")
    found = elsewhere("fp32")
    assert found.predicted_db(LAST) == pytest.approx(found.db(LAST))
    assert found.predicted_db(whole) == pytest.approx(found.db(whole), abs=1.5)
    assert found.db(whole) < found.db(LAST) < 40


def test_the_rounding_of_the_base_counts() -> None:
    assert elsewhere("fp32").db({}) > 100
    assert 30 < elsewhere("bf16").db({}) < 45
    assert elsewhere("bf16").predicted_db({}) == pytest.approx(elsewhere("bf16").db({}))
    assert elsewhere("bf16").db(LAST) == pytest.approx(elsewhere("fp32").db(LAST), abs=1.5)


def test_what_was_not_among_the_options_is_never_exact_enough() -> None:
    assert elsewhere("fp32").predicted_db({"convs.4": "fp16"}) == -np.inf
