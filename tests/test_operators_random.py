"""Convolutions, means and folds of any size, in onnxruntime and in PyTorch; and the builder."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import onnx_ir as ir
import onnxruntime as ort
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from export.builder import Builder, Dim, shape_of
from export.operators import lengths
from export.operators.activations import leaky_relu
from export.request import ExportRequest
from export.to_onnx import to_onnx
from hifigan_ref.ensemble import Ensemble, Member
from hifigan_ref.variant import Variant, networks

FIXED = settings(max_examples=40, deadline=None, derandomize=True)
ONE = Variant("one", "0")


@pytest.fixture(scope="module", autouse=True)
def one() -> Iterator[None]:
    """A network of a single member, which gives a score and one feature map."""
    with pytest.MonkeyPatch.context() as patch:
        network = Ensemble("one", "member", {"0": Member((1,), (1,), 0)}, lambda _: nn.Module())
        patch.setitem(networks(), "one", network)
        yield


class Net(nn.Module):
    """A network of one member that says f(y), once as a score and once as it is."""

    def __init__(self, function: Callable[[Tensor], Tensor], *layers: nn.Module) -> None:
        super().__init__()
        self.function = function
        self.layers = nn.ModuleList(layers).eval().requires_grad_(False)

    def judge(self, y: Tensor) -> list[tuple[Tensor, list[Tensor]]]:
        x = self.function(y)
        return [(torch.flatten(x, 1), [x])]


class Chain(Net):
    """The same for layers in a row."""

    def __init__(self, *layers: nn.Module) -> None:
        super().__init__(lambda y: y, *layers)

    def judge(self, y: Tensor) -> list[tuple[Tensor, list[Tensor]]]:
        x = y
        for layer in self.layers:
            x = layer(x)
        return [(torch.flatten(x, 1), [x])]


def _rows(y: Tensor, axis: int, sizes: tuple[int, int]) -> Tensor:
    folded: Tensor = y.unflatten(axis, sizes)  # type: ignore[no-untyped-call]
    return folded


def _agree(
    network: Net, shape: Sequence[int], fixed: bool = False, opset: int = 18
) -> list[ir.Node]:
    """Compare both runtimes on noise; the graph's nodes."""
    batch, _, samples = shape
    request = (
        ExportRequest(ONE, opset, sizes={"batch": batch, "samples": samples})
        if fixed
        else ExportRequest(ONE, opset)
    )
    model = to_onnx(network, request)
    session = ort.InferenceSession(
        ir.to_proto(model).SerializeToString(), providers=["CPUExecutionProvider"]
    )
    y = np.random.default_rng(0).standard_normal(shape).astype(np.float32)
    score, fmap = session.run(["score", "fmap_0"], {"y": y})
    (expected_score, (expected_fmap,)) = network.judge(torch.from_numpy(y))[0]
    np.testing.assert_allclose(fmap, expected_fmap.numpy(), rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(score, expected_score.numpy(), rtol=1e-4, atol=1e-5)
    if fixed:
        assert [shape_of(value) for value in model.graph.outputs] == [score.shape, fmap.shape]
    return list(model.graph)


@FIXED
@given(data=st.data())
def test_any_conv1d(data: st.DataObject) -> None:
    groups = data.draw(st.sampled_from([1, 2, 4]))
    inputs, outputs = (groups * data.draw(st.integers(1, 3)) for _ in range(2))
    kernel, stride = data.draw(st.integers(1, 9)), data.draw(st.integers(1, 4))
    padding, dilation = data.draw(st.integers(0, 5)), data.draw(st.integers(1, 3))
    torch.manual_seed(0)
    network = Chain(
        nn.Conv1d(1, inputs, 1),
        nn.Conv1d(inputs, outputs, kernel, stride, padding, dilation, groups),
    )
    shortest = max(1, dilation * (kernel - 1) + 1 - 2 * padding)
    samples = data.draw(st.integers(shortest, shortest + 40))
    _agree(network, (data.draw(st.integers(1, 3)), 1, samples), fixed=data.draw(st.booleans()))


@FIXED
@given(data=st.data())
def test_any_average_pool(data: st.DataObject) -> None:
    size = data.draw(st.integers(1, 8))
    padding = data.draw(st.integers(0, size // 2))
    stride = data.draw(st.integers(1, 5))
    pool = nn.AvgPool1d(size, stride, padding, count_include_pad=data.draw(st.booleans()))
    samples = data.draw(st.integers(max(1, size - 2 * padding), 50))
    pooled = (samples + 2 * padding - size) // stride + 1
    row = Chain(pool, pool) if pooled >= size else Chain(pool)
    _agree(row, (2, 1, samples), fixed=data.draw(st.booleans()))


@FIXED
@given(period=st.integers(2, 13), extra=st.integers(0, 40), fixed=st.booleans())
def test_any_fold(period: int, extra: int, fixed: bool) -> None:
    """Pad to a multiple of the period, fold, convolve each column, activate."""
    torch.manual_seed(0)
    conv = nn.Conv2d(1, 3, (5, 1), (3, 1), (2, 0))

    class Fold(Net):
        def judge(self, y: Tensor) -> list[tuple[Tensor, list[Tensor]]]:
            x = F.pad(y, (0, -y.shape[-1] % period), mode="reflect")
            x = x.unflatten(-1, (-1, period))  # type: ignore[no-untyped-call]
            x = F.leaky_relu(self.layers[0](x), 0.1)
            return [(torch.flatten(x, 1), [x])]

    samples = period // 2 + 1 + extra
    nodes = _agree(Fold(lambda y: y, conv), (2, 1, samples), fixed)
    padded = "Pad" in {node.op_type for node in nodes}
    assert padded == (not fixed or samples % period != 0)


@pytest.mark.parametrize("divisor", [1, 2, 11])
def test_lengths_are_computed_as_python_does(divisor: int) -> None:
    """A fixed length at once, a dynamic one in the graph."""
    graph = Builder()
    assert lengths.modulo(graph, "", lengths.negative(graph, "", 30), divisor) == -30 % divisor
    assert lengths.quotient(graph, "", -30, divisor) == -30 // divisor
    assert not graph.nodes
    x = ir.val("x", ir.DataType.FLOAT, ["batch", 1, "samples"])
    found = lengths.modulo(
        graph, "mod", lengths.negative(graph, "neg", graph.extent(x, -1)), divisor
    )
    assert isinstance(found, Dim)
    assert [node.op_type for node in graph.nodes] == ["Shape", "Gather", "Neg", "Mod"]


def test_nothing_is_written_twice() -> None:
    graph = Builder()
    x = ir.val("x", ir.DataType.FLOAT, ["batch", 1, "samples"])
    first = leaky_relu(graph, "a", x, 0.1)
    assert leaky_relu(graph, "b", x, 0.1) is first
    assert leaky_relu(graph, "c", x, 0.2) is not first
    assert graph.extent(x, -1) == graph.extent(x, 2)
    assert graph.extent(x, 1) == 1
    assert graph.ints(0, -1) is graph.ints(0, -1)
    assert graph.ints(0) is not graph.ints(0, -1)
    assert [value.name for value in graph.initializers] == ["int64_2", "int64_0_-1", "int64_0"]
    names: list[Any] = [node.name for node in graph.nodes]
    assert names == ["a", "c", "x_shape", "x_dim_2"]
