"""The contract of every rewrite: the same function in float64 and in float32, at every shape."""

from collections import Counter
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import onnx
import onnx_ir as ir
import onnxruntime as ort
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from export.builder import Builder, Extent, shape_of
from export.evaluate import evaluate
from export.layers import count_layers
from export.lowering.convolution import Convolution, read, write
from export.lowering.layouts import Graph
from export.lowering.lower import lower
from export.lowering.rule import Form, Rule, form_text, parse_form, rules
from export.lowering.rules.fir import Fir
from export.lowering.rules.merge import Merge
from export.operators.table import OPERATIONS
from export.opset import ir_version
from export.verify import snr_db
from hifigan_ref.errors import HifiError

FLOAT64 = 1e-12  # of the root mean square of the outputs
FORMS: list[Form] = [(name,) for name in rules()]
FORMS += [
    ("phase", "wide"),
    ("wide", "phase"),
    ("fir-4-4", "wide"),
    ("wide", "fir-3-5"),
    ("phase", "rows"),
    ("phase", "columns"),
    ("columns", "fir-2-5"),
    ("fir-2-2", "fir-2-2"),
    ("phase", "fir-2-2", "wide"),
    ("merge-2", "phase"),
    ("longer", "wide"),
    ("phase", "longer"),
    ("merge-2", "matmul-2"),
]
every_form = pytest.mark.parametrize("form", FORMS, ids=form_text)


@dataclass(frozen=True)
class Layer:
    """A convolution and the activation behind it, on an input of a shape."""

    conv: Convolution
    shape: tuple[int, ...]
    dynamic: bool
    opset: int

    @property
    def stated(self) -> tuple[Extent, ...]:
        """As the graph has it."""
        n, c, length, *rest = self.shape
        return ("batch", c, "samples", *rest) if self.dynamic else (n, c, length, *rest)

    def graph(self) -> ir.Model:
        builder = Builder()
        x = ir.val("x", ir.DataType.FLOAT, self.stated)
        y = write(builder, self.conv, x)
        z = builder.op("act", "LeakyRelu", [y], shape_of(y), {"alpha": 0.1})
        graph = ir.Graph(
            [x],
            [y, z],
            nodes=builder.nodes,
            initializers=builder.initializers,
            opset_imports={"": self.opset},
            name="layer",
        )
        return ir.Model(graph, ir_version=ir_version(self.opset))

    def noise(self) -> NDArray[np.float64]:
        return np.random.default_rng(1).standard_normal(self.shape)


def convolution(
    c_in: int, c_out: int, taps: int, stride: int, group: int, padding: int, folded: bool
) -> Convolution:
    generator = np.random.default_rng(0)
    weight = generator.standard_normal((c_out, c_in // group, taps)) / np.sqrt(taps * c_in / group)
    rest = (1,) if folded else ()
    none = (0,) if folded else ()
    return Convolution(
        "conv",
        weight.reshape(*weight.shape, *rest).astype(np.float32).astype(np.float64),
        generator.standard_normal(c_out).astype(np.float32).astype(np.float64),
        (stride, *rest),
        (1, *rest),
        (padding, *none),
        (padding, *none),
        group,
    )


@st.composite
def layers(draw: st.DrawFn) -> Layer:
    group = draw(st.sampled_from([1, 2, 4]))
    taps = draw(st.sampled_from([1, 2, 3, 5, 6, 11, 41]))
    same = draw(st.integers(0, 3)) > 0
    folded = draw(st.booleans())
    conv = convolution(
        group * draw(st.integers(1, 4)),
        group * draw(st.integers(1, 4)),
        taps,
        draw(st.integers(1, 4)),
        group,
        taps // 2 if same else draw(st.integers(0, taps)),
        folded,
    )
    length = draw(st.integers(max(1, taps), taps + 40))
    shape = (draw(st.integers(1, 3)), conv.channels[0], length)
    shape += (draw(st.integers(1, 4)),) if folded else ()  # type: ignore[assignment]
    return Layer(conv, shape, draw(st.booleans()), draw(st.sampled_from([11, 13, 18, 26])))


def refusal(form: Form, layer: Layer) -> str | None:
    try:
        lower(layer.graph(), {"conv": form})
    except HifiError as error:
        return str(error)
    return None


def told_the_lengths(model: onnx.ModelProto, layer: Layer) -> ort.InferenceSession:
    """As a benchmark opens a file: what was computed of dynamic lengths becomes constant."""
    options = ort.SessionOptions()
    options.add_free_dimension_override_by_name("batch", layer.shape[0])
    options.add_free_dimension_override_by_name("samples", layer.shape[2])
    return ort.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )


def errors(form: Form, layer: Layer) -> tuple[float, float]:
    """(largest relative error in float64, smallest SNR in float32) of both outputs."""
    x = layer.noise().astype(np.float32).astype(np.float64)
    plain = evaluate(lower(layer.graph(), {}, ir.DataType.DOUBLE), {"x": x})
    found = evaluate(lower(layer.graph(), {"conv": form}, ir.DataType.DOUBLE), {"x": x})
    single = ir.to_proto(lower(layer.graph(), {"conv": form}))
    onnx.checker.check_model(single, full_check=True)
    rounded = told_the_lengths(single, layer).run(None, {"x": x.astype(np.float32)})
    relative, ratio = 0.0, np.inf
    for (name, reference), other in zip(plain.items(), rounded, strict=True):
        assert found[name].shape == reference.shape == other.shape
        scale = np.sqrt(np.square(reference).mean())
        relative = max(relative, float(np.abs(found[name] - reference).max() / scale))
        ratio = min(ratio, snr_db(reference, other))
    return relative, ratio


@every_form
@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(layer=layers())
def test_it_computes_the_same_or_says_why_not(form: Form, layer: Layer) -> None:
    reason = refusal(form, layer)
    if reason is not None:
        assert reason.startswith("conv") and " cannot be written as " in reason
        return
    relative, ratio = errors(form, layer)
    assert relative <= FLOAT64
    assert ratio >= FLOOR_DB


FLOOR_DB = 110.0  # SNR of a form in float32 on noise of unit variance
REAL = {  # what the networks are made of: channels, taps, stride, groups, padding
    "scale-1": (16, 16, 41, 2, 4, 20),
    "scale-4": (16, 32, 41, 4, 2, 20),
    "scale-5": (16, 16, 41, 1, 4, 20),
    "scale-6": (8, 8, 5, 1, 1, 2),
    "period-3": (8, 16, 5, 3, 1, 2),
    "period-4": (8, 8, 5, 1, 1, 2),
}
TAKES = {
    "scale-1": {
        "wide",
        "phase",
        "merge-2",
        "fir-2-2",
        "fir-3-3",
        "fir-4-4",
        "fir-2-4",
        "block-8",
        "longer",
        "matmul-4",
    },
    "scale-4": {"wide", "phase", "merge-2", "fir-2-2", "fir-4-4", "block-16", "matmul-4"},
    "scale-5": {"wide", "merge-4", "fir-2-2", "fir-3-3", "fir-4-4", "fir-2-2+fir-2-2", "matmul-2"},
    "scale-6": {"wide", "fir-2-2", "fir-2-5", "fir-3-5", "fir-4-5", "block-16"},
    "period-3": {
        "phase",
        "columns",
        "fir-2-2",
        "fir-3-2",
        "fir-4-2",
    },
    "period-4": {
        "rows",
        "columns",
        "fir-2-5",
        "fir-3-5",
        "fir-4-5",
    },
}


@pytest.mark.parametrize("name", REAL)
def test_real_layers_are_rewritten_for_every_length(name: str) -> None:
    folded = name.startswith("period")
    conv = convolution(*REAL[name], folded=folded)
    for form in TAKES[name]:
        tiled = conv.strides[0] * 4  # every residue of every stride times tile
        for length in range(41, 41 + tiled):
            shape = (1, conv.channels[0], length, *((3,) if folded else ()))
            relative, ratio = errors(parse_form(form), Layer(conv, shape, length % 3 > 0, 18))
            assert relative <= FLOAT64, (form, length)
            assert ratio >= 110, (form, length)


@pytest.fixture
def convolved(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What oneDNN computes wrongly with AVX-512 (docs/runtimes.md), of all that float64 ran."""
    wrong: list[str] = []
    row = OPERATIONS["Conv"]

    def noted(x: Any, w: Any, b: Any = None, **a: Any) -> Any:
        y = row.meaning(x, w, b, **a)
        *_, stride = a.get("strides", [1])
        if stride > 1 and y.shape[-1] == 1 and y.ndim > 3 and y.shape[-2] > 1:
            wrong.append(f"{tuple(x.shape)} by {tuple(w.shape)}, {a}")
        return y

    monkeypatch.setitem(OPERATIONS, "Conv", replace(row, meaning=noted))
    return wrong


@pytest.mark.parametrize("name", REAL)
def test_inputs_shorter_than_the_taps(name: str, convolved: list[str]) -> None:
    folded = name.startswith("period")
    conv = convolution(*REAL[name], folded=folded)
    for form in TAKES[name]:
        for length in (1, 2, 4, 5, 9, 20):
            shape = (2, conv.channels[0], length, *((3,) if folded else ()))
            for dynamic in (True, False):
                layer = Layer(conv, shape, dynamic, 18)
                relative, ratio = errors(parse_form(form), layer)
                assert relative <= FLOAT64, (form, length)
                assert ratio >= 110, (form, length)
    assert not convolved


@pytest.mark.parametrize("dynamic", [True, False])
def test_a_long_input_is_left_as_it_is(dynamic: bool) -> None:
    """Zeros behind a short one cost a copy where a length is dynamic, and nothing where it fits."""
    conv = convolution(*REAL["scale-6"], folded=False)
    graph = lower(Layer(conv, (1, 8, 8), dynamic, 18).graph(), {"conv": ("fir-4-5",)}).graph
    kinds = Counter(node.op_type for node in graph)
    assert (kinds["Expand"], kinds["Concat"] > 0) == ((1, True) if dynamic else (0, False))


@pytest.mark.parametrize("name", REAL)
def test_what_is_saved_is_counted(name: str) -> None:
    folded = name.startswith("period")
    conv = convolution(*REAL[name], folded=folded)
    layer = Layer(conv, (1, conv.channels[0], 48, *((3,) if folded else ())), False, 18)

    def products(form: Form) -> int:
        counted = count_layers(lower(layer.graph(), {"conv": form}), {})
        return max(each.flops for each in counted)

    if name == "scale-6":
        assert products(("fir-4-5",)) * 20 == products(()) * 8
    elif name == "scale-5":
        assert products(("fir-4-4",)) * 164 == products(()) * 77
        assert products(("matmul-4",)) * 41 == products(()) * 44
    elif name == "period-4":
        assert products(("fir-2-5",)) * 10 == products(()) * 6


class TapOff(Fir):
    """Reads the taps one too late."""

    def _products(self, conv: Convolution, axis: int) -> Convolution:
        left = super()._products(conv, axis)
        return replace(left, weight=np.roll(left.weight, 1, axis=2 + axis))


class GroupMisplaced(Merge):
    """Puts a group's weights where its neighbour's channels are."""

    def rewrite(self, graph: Graph, conv: Convolution, x: ir.Value, inner: object) -> ir.Value:
        def wrong(graph: Graph, left: Convolution, x: ir.Value) -> ir.Value:
            half = left.weight.shape[1] // 2
            rolled = replace(left, weight=np.roll(left.weight, half, axis=1))
            return inner(graph, rolled, x)  # type: ignore[no-any-return, operator]

        return super().rewrite(graph, conv, x, wrong)


@pytest.mark.parametrize("wrong", [TapOff(2, 2), GroupMisplaced(2)], ids=["tap", "group"])
def test_a_wrong_rewrite_is_seen(wrong: Rule, monkeypatch: pytest.MonkeyPatch) -> None:
    layer = Layer(convolution(8, 8, 11, 1, 2, 5, folded=False), (2, 8, 40), False, 18)
    assert errors((wrong.name,), layer)[0] <= FLOAT64
    monkeypatch.setitem(rules(), wrong.name, wrong)
    relative, ratio = errors((wrong.name,), layer)
    assert relative > 1e-3
    assert ratio < 60


def test_two_layers_pass_numbers_on_in_their_layout() -> None:
    conv = convolution(4, 4, 5, 1, 1, 2, folded=False)
    builder = Builder()
    x = ir.val("x", ir.DataType.FLOAT, ("batch", 4, "samples"))
    value = x
    for name in ("one", "two", "three"):
        value = write(builder, replace(conv, name=name), value)
        value = builder.op(f"act_{name}", "LeakyRelu", [value], shape_of(value), {"alpha": 0.1})
    graph = ir.Graph(
        [x],
        [value],
        nodes=builder.nodes,
        initializers=builder.initializers,
        opset_imports={"": 18},
    )
    lowered = lower(
        ir.Model(graph, ir_version=9), dict.fromkeys(("one", "two", "three"), ("wide",))
    )
    kinds = [node.op_type for node in lowered.graph]
    assert kinds == ["Reshape", *["Conv", "LeakyRelu"] * 3, "Reshape"]


def test_a_node_is_read_as_it_was_written() -> None:
    conv = convolution(4, 8, 5, 2, 2, 2, folded=True)
    found = read(next(iter(Layer(conv, (1, 4, 9, 2), False, 18).graph().graph)))
    assert (found.weight == conv.weight).all() and found.bias is not None
    assert replace(found, weight=conv.weight, bias=conv.bias) != found  # arrays have no equality
    for field in ("name", "strides", "dilations", "before", "after", "group"):
        assert getattr(found, field) == getattr(conv, field)


def test_forms_have_names() -> None:
    assert parse_form("plain") == () and form_text(()) == "plain"
    assert parse_form("phase+fir-2-2+wide") == ("phase", "fir-2-2", "wide")
    with pytest.raises(HifiError, match="no rewrite 'fast': choose from plain, block-8, "):
        parse_form("wide+fast")


def test_nothing_is_written_behind_a_product() -> None:
    layer = Layer(convolution(4, 4, 5, 1, 2, 2, folded=False), (1, 4, 30), True, 18)
    assert refusal(("matmul-2",), layer) is None
    assert refusal(("matmul-2", "wide"), layer) == (
        "conv cannot be written as wide behind matmul-2, which leaves no convolution"
    )


def test_what_cannot_be_written_is_refused_in_words() -> None:
    conv = convolution(4, 4, 5, 2, 1, 0, folded=False)
    layer = Layer(conv, (1, 4, 30), True, 18)
    assert refusal(("fir-2-2",), layer) == (
        "conv cannot be written as fir-2-2: "
        "its padding does not give an output for each started stride"
    )
