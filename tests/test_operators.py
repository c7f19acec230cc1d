"""Every operation of the table: onnxruntime and ``evaluate`` beside PyTorch in float64."""

import copy
import dataclasses
import functools
from collections.abc import Callable, Mapping, Sequence
from itertools import product
from typing import Any

import numpy as np
import onnx
import onnx_ir as ir
import onnxruntime as ort
import pytest
import torch
from numpy.typing import NDArray
from operator_cases import Pair, Shape, cases
from torch import Tensor, nn

from export.builder import shape_of
from export.evaluate import evaluate
from export.frontend.tracing import trace
from export.operators.table import OPERATIONS, WRITERS, is_weighted
from export.request import OPSETS
from export.verify import snr_db
from hifigan_ref.errors import HifiError

CASES = cases()
LENGTHS = (8, 13, 30)
Arrays = Mapping[str, NDArray[np.float32]]


def fixed(shape: Shape, samples: int) -> tuple[int, ...]:
    named = {"batch": 2, "samples": samples, "long": samples + 3}
    return tuple(axis if isinstance(axis, int) else named[axis] for axis in shape)


def noise(shape: Sequence[int], seed: int = 0) -> NDArray[np.float32]:
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def in_float64(module: nn.Module, inputs: Arrays) -> list[NDArray[np.float64]]:
    torch.set_default_dtype(torch.float64)  # of constants in functions
    try:
        given = {name: torch.from_numpy(x.astype(np.float64)) for name, x in inputs.items()}
        made = copy.deepcopy(module).double()(**given)
    finally:
        torch.set_default_dtype(torch.float32)
    several = made if isinstance(made, tuple) else (made,)
    return [each.detach().numpy() for each in several]


def outputs_of(module: nn.Module, inputs: Arrays) -> list[str]:
    return [f"out_{i}" for i in range(len(in_float64(module, inputs)))]


def session(model: ir.Model) -> ort.InferenceSession:
    content = ir.to_proto(model).SerializeToString()
    onnx.checker.check_model(content, full_check=True)
    return ort.InferenceSession(content, providers=["CPUExecutionProvider"])


def judge(model: ir.Model, module: nn.Module, inputs: Arrays, least: float) -> None:
    expected = in_float64(module, inputs)
    names = [str(value.name) for value in model.graph.outputs]
    found = session(model).run(names, dict(inputs))
    exact = evaluate(model, inputs)
    assert len(expected) == len(names)
    for name, truth, single, value in zip(names, expected, found, model.graph.outputs, strict=True):
        assert single.shape == truth.shape == exact[name].shape
        stated = shape_of(value)
        assert len(stated) == truth.ndim
        for said, length in zip(stated, truth.shape, strict=True):
            assert said is None or isinstance(said, str) or said == length
        assert snr_db(truth, exact[name]) >= least
        assert snr_db(truth, single) >= 100


@pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel")
@pytest.mark.parametrize("name", CASES)
def test_an_operation(name: str) -> None:
    """At every kind of opset, with dynamic and fixed axes; each graph once at every length."""
    module, shape, least = CASES[name]
    names = outputs_of(module, {"x": noise(fixed(shape, LENGTHS[0]))})
    judged: set[bytes] = set()
    for opset, axes in product((11, 13, 17, 18, 20, 26), (shape, fixed(shape, LENGTHS[0]))):
        model = trace(module, {"x": axes}, opset, "g", outputs=names)
        assert dict(model.opset_imports) == {"": opset}
        graph: bytes = ir.to_proto(model.graph).SerializeToString()
        dynamic = axes == shape
        assert dynamic or all(isinstance(n, int) for v in model.graph.outputs for n in shape_of(v))
        for samples in LENGTHS if dynamic and graph not in judged else LENGTHS[:1]:
            judge(model, module, {"x": noise(fixed(shape, samples), samples)}, least)
        judged.add(graph)


PAIRS: dict[str, tuple[Callable[..., Any], Shape, Shape]] = {
    "add": (torch.add, ("batch", 4, "samples"), ("batch", 1, "samples")),
    "sub": (lambda x, y: x - y, ("batch", 4, "samples"), (4, 1)),
    "div": (lambda x, y: x / (y * y + 1), ("batch", 4, 1), ("batch", 1, "samples")),
    "matmul": (torch.matmul, ("batch", 4, "samples"), ("batch", "samples", 3)),
    "cat": (lambda x, y: torch.cat((x, y), -1), ("batch", 4, "samples"), ("batch", 4, 5)),
    "expand as": (lambda x, y: x.expand_as(y) + 1, ("batch", 1, "samples"),
                  ("batch", 4, "samples")),
    "cut to fit": (lambda x, y: x[..., : y.shape[-1]] + y, ("batch", 4, "long"),
                   ("batch", 4, "samples")),
    "maximum": (torch.maximum, ("batch", 4, "samples"), ("samples",)),
    "power": (lambda x, y: (x * x + 1) ** y, ("batch", 4, "samples"), ("batch", 4, "samples")),
}  # fmt: skip


@pytest.mark.parametrize("opset", [11, 18, 26])
@pytest.mark.parametrize("name", PAIRS)
def test_an_operation_on_two_tensors(name: str, opset: int) -> None:
    function, *shapes = PAIRS[name]
    inputs: dict[str, Shape] = dict(zip("xy", shapes, strict=True))
    model = trace(Pair(function), inputs, opset, "g", outputs=["z"])
    for samples in LENGTHS:
        given = {
            key: noise(fixed(shape, samples), i) for i, (key, shape) in enumerate(inputs.items())
        }
        judge(model, Pair(function), given, 250)


@pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel")
@pytest.mark.parametrize("opset", OPSETS)
def test_every_opset_has_every_operation(opset: int) -> None:
    """Nothing is refused for its opset: what one lacks is composed."""
    for name in sorted(CASES):
        module, shape, _ = CASES[name]
        names = outputs_of(module, {"x": noise(fixed(shape, LENGTHS[0]))})
        model = trace(module, {"x": shape}, opset, "g", outputs=names)
        onnx.checker.check_model(ir.to_proto(model), full_check=True)


@pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel")
def test_every_writer_is_run(monkeypatch: pytest.MonkeyPatch) -> None:
    """And every operation that a writer uses is a row, so that its graph can be evaluated."""
    run: set[Callable[..., Any]] = set()
    writers = dict(WRITERS)

    def noted(writer: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(writer)
        def write(*args: Any, **kwargs: Any) -> Any:
            run.add(writer)
            return writer(*args, **kwargs)

        return write

    for name, writer in writers.items():
        monkeypatch.setitem(WRITERS, name, noted(writer))
    for module, shape, _ in CASES.values():
        names = outputs_of(module, {"x": noise(fixed(shape, LENGTHS[0]))})
        model = trace(module, {"x": shape}, 18, "g", outputs=names)
        assert {node.op_type for node in model.graph} <= set(OPERATIONS)
    assert not sorted(name for name, writer in writers.items() if writer not in run)


def test_a_product_of_two_tensors_does_not_weigh() -> None:
    class Attention(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.values = nn.Linear(8, 8)

        def forward(self, x: Tensor) -> dict[str, Tensor]:
            return {"y": torch.softmax(x @ x.mT, -1) @ self.values(x)}

    graph = trace(Attention(), {"x": ("batch", "samples", 8)}, 18, "g").graph
    assert [node.name for node in graph if node.op_type == "MatMul"][1:] == ["values", "y"]
    assert [node.name for node in graph if is_weighted(node)] == ["values"]


def test_a_wrong_meaning_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    """The suite would notice: a tap too late, a slope that is off, a mean over one more."""
    for name, op_type, wrong in (
        ("Conv1d", "Conv", lambda x, w, *rest, **a: CONV(x, w.roll(1, -1), *rest, **a)),
        ("LeakyReLU", "LeakyRelu", lambda x, alpha: torch.where(x > 0, x, x * (alpha + 1e-7))),
        ("mean", "ReduceMean", lambda x, axes: x.mean(tuple(axes.tolist()), keepdim=True)),
    ):
        row = OPERATIONS[op_type]
        monkeypatch.setitem(OPERATIONS, op_type, dataclasses.replace(row, meaning=wrong))
        with pytest.raises((AssertionError, TypeError)):
            test_an_operation(name)


CONV = OPERATIONS["Conv"].meaning


def _model(text: str, opset: int = 18) -> ir.Model:
    return ir.from_onnx_text(f'<ir_version: 8, opset_import: ["" : {opset}]> g {text}')


X = noise((2, 3, 4))


@pytest.mark.parametrize(
    ("text", "opset", "expected"),
    [
        ("y = Softmax(x)", 11, lambda x: x.flatten(1).softmax(-1).reshape(x.shape)),
        ("y = Softmax(x)", 13, lambda x: x.softmax(-1)),
        ("y = Flatten <axis = 2> (x)", 18, lambda x: x.reshape(6, 4)),
        ("y = Transpose(x)", 18, lambda x: x.permute(2, 1, 0)),
        ("a = Constant <value_floats = [2.0, 3.0, 4.0, 5.0]> () y = Mul(x, a)", 18,
         lambda x: x * torch.tensor([2.0, 3, 4, 5])),
        ("a = Cast <to = 10> (x) y = Identity(a)", 18, lambda x: x),
        ("a, y = Split <axis = 2, num_outputs = 2> (x)", 18, lambda x: x[..., 2:]),
        ("s = Constant <value_float = 0.5> () q = QuantizeLinear(x, s) y = DequantizeLinear(q, s)",
         18, lambda x: (x / 0.5).round().clamp(0, 255) * 0.5),
        ("y = GlobalAveragePool(x)", 18, lambda x: x.mean(-1, keepdim=True)),
        ("y = Dropout(x)", 18, lambda x: x),
    ],
)  # fmt: skip
def test_a_graph_of_another_tool(
    text: str, opset: int, expected: Callable[[Tensor], Tensor]
) -> None:
    model = _model(f"(float[N, 3, 4] x) => (float[A, B, C] y) {{ {text} }}", opset)
    (found,) = evaluate(model, {"x": X}).values()
    np.testing.assert_allclose(found, expected(torch.from_numpy(X).double()).numpy(), 1e-12)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("y = Celu(x)", "Celu is not known here; like it are Relu, "),
        ("y = tool.Gelu(x)", "tool.Gelu is not known here; like it are Gelu; "),
        ("y, i = MaxPool <kernel_shape = [2]> (x) z = Add(i, i)", "only the first output"),
        ("y = AveragePool <kernel_shape = [2], ceil_mode = 1> (x)", "ceil_mode"),
    ],
)
def test_what_cannot_be_evaluated_is_named(text: str, told: str) -> None:
    with pytest.raises(HifiError, match=told) as caught:
        evaluate(_model(f"(float[N, 3, 4] x) => (float[N, 3, M] y) {{ {text} }}"), {"x": X})
    assert "\n" not in str(caught.value)


def test_an_input_that_is_missing_is_named() -> None:
    with pytest.raises(HifiError, match="no input x: give an array"):
        evaluate(_model("(float[N] x) => (float[N] y) { y = Neg(x) }"), {"y": X})
