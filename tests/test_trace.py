"""What a user's module gets: a right graph, or one line that says where and why not."""

import math
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx_ir as ir
import pytest
import torch
import torch.nn.functional as F
from operator_cases import Call, Pair, Shape
from test_operators import judge, noise, session
from torch import Tensor, nn
from torch.nn.utils.parametrizations import weight_norm

from export.builder import shape_of
from export.evaluate import evaluate
from export.frontend.tracing import trace
from export.operators.table import WRITERS
from hifigan_ref.errors import HifiError

WAVE: Shape = ("batch", 1, "samples")
HERE = Path(__file__).name


class Small(nn.Module):
    """A small network of today's kind; each below differs in one thing."""

    def __init__(self, **options: Any) -> None:
        super().__init__()
        self.first = nn.Conv1d(1, 4, 5, **{"padding": 2, **options})
        self.last = nn.Conv1d(4, 1, 3, padding=1)

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        return {"score": self.last(F.leaky_relu(self.first(x), 0.125)).flatten(1)}


class Padded(Small):
    def forward(self, x: Tensor) -> dict[str, Tensor]:
        return super().forward(F.pad(x, (0, -x.shape[-1] % 4)))


class Audio(Small):
    def forward(self, x: Tensor) -> dict[str, Tensor]:
        return {"audio": torch.tanh(self.last(self.first(x)))}


class Listed(Small):
    def forward(self, x: Tensor) -> list[Tensor]:  # type: ignore[override]
        y = self.first(x)
        return [y, self.last(y)]


class Residual(Small):
    def forward(self, x: Tensor) -> dict[str, Tensor]:
        y = F.leaky_relu(self.first(x), 0.125)
        y += x
        return {"score": self.last(y), "first": y, "again": y, "input": x}


class Ensemble(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.members = nn.ModuleList([Small(), Small(bias=False)])

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        return {f"score_{i}": member(x)["score"] for i, member in enumerate(self.members)}


class Shared(Small):
    """One layer in two places."""

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        y = self.first(x)
        return {"score": self.last(torch.tanh(self.last(y).expand(-1, 4, -1)) + y)}


class Named(Small):
    """An output that is called as a layer is."""

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        return {"first": self.last(self.first(x)), "last": torch.tanh(self.first(x))}


class Causal(nn.Conv1d):
    """A layer of its own kind."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(F.pad(x, (self.kernel_size[0] - 1, 0)))


class OfCausal(Small):
    def __init__(self) -> None:
        super().__init__()
        self.first = Causal(1, 4, 5)


class Generator(nn.Module):
    """Upsampling, a residual block and an output that is no score."""

    def __init__(self) -> None:
        super().__init__()
        self.up = nn.ConvTranspose1d(1, 4, 4, 2, 1)
        self.block = nn.Sequential(nn.LeakyReLU(0.125), nn.Conv1d(4, 4, 3, 1, "same", 2))
        self.post = nn.Conv1d(4, 1, 7, padding=3)
        self.alpha = nn.Parameter(torch.full((4,), 0.5))

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        y = self.up(x)
        y = y + self.block(y)
        alpha = self.alpha.unsqueeze(0).unsqueeze(-1)
        y = y + 1 / alpha * torch.sin(y * alpha).pow(2)
        return {"audio": torch.tanh(self.post(y))}


class Branch(Small):
    def forward(self, x: Tensor) -> dict[str, Tensor]:
        if x.shape[-1] % 4 != 0:
            x = F.pad(x, (0, 4 - x.shape[-1] % 4))
        return super().forward(x)


RIGHT: dict[str, nn.Module] = {
    "plain": Small(),
    "no bias": Small(bias=False),
    "same": Small(padding="same"),
    "valid": Small(padding="valid"),
    "reflect": Small(padding_mode="reflect"),
    "replicate": Small(padding_mode="replicate"),
    "circular": Small(padding_mode="circular"),
    "constant pad": Padded(),
    "audio": Audio(),
    "a list": Listed(),
    "in place, twice, and the input": Residual(),
    "ensemble": Ensemble(),
    "one layer twice": Shared(),
    "named as layers": Named(),
    "a subclass": OfCausal(),
    "generator": Generator(),
    "stride": Small(stride=3),
    "dilated": Small(dilation=2),
}


@pytest.mark.parametrize("opset", [11, 18, 26])
@pytest.mark.parametrize("name", RIGHT)
def test_a_small_module_is_right(name: str, opset: int) -> None:
    module = RIGHT[name].eval().requires_grad_(False)
    listed = ["all", "score"] if name == "a list" else []
    model = trace(module, {"x": WAVE}, opset, name, outputs=listed)
    for samples in (16, 33):
        inputs = {"x": noise((2, 1, samples))}
        judge(model, _Tuple(module), inputs, 250)
    convolutions = [node for node in model.graph if node.op_type.startswith("Conv")]
    assert all(node.name for node in convolutions)


class _Tuple(nn.Module):
    """Outputs in order."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        made = self.module(x)
        return tuple(made.values() if isinstance(made, Mapping) else made)


def test_a_branch_on_a_fixed_length_is_none() -> None:
    module = Branch().eval().requires_grad_(False)
    for samples in (16, 18):
        model = trace(module, {"x": (2, 1, samples)}, 18, "g")
        judge(model, _Tuple(module), {"x": noise((2, 1, samples))}, 250)


def refused(function: Any, inputs: Mapping[str, Shape] | None = None, **options: Any) -> str:
    module = function if isinstance(function, nn.Module) else Call(function)
    with pytest.raises(HifiError) as caught:
        trace(module, inputs or {"x": WAVE}, 18, "g", outputs=["y"], **options)
    message = str(caught.value)
    assert "\n" not in message and len(message) < 3000
    return message


REFUSED: dict[str, tuple[Callable[[Any], Any], str]] = {
    "a branch on a rest": (lambda x: x if x.shape[-1] % 2 else -x, "a branch on a length"),
    "a branch on a length": (lambda x: x if x.shape[-1] > 2 else -x, r"on a length \(samples >"),
    "equality": (lambda x: x if x.shape[-1] == 2 else -x, r"a branch on a length \(samples =="),
    "a maximum": (lambda x: F.pad(x, (0, max(0, 4 - x.shape[-1]))), "a branch on a length"),
    "a branch on a value": (lambda x: x if x.mean() else -x, "a branch on the value of a tensor"),
    "a comparison": (lambda x: x if x.sum() > 0 else -x, r"a comparison of a tensor \(>\)"),
    "int": (lambda x: F.pad(x, (0, int(x.shape[-1]))), "int of a length"),
    "len": (lambda x: x[: len(x)], r"len\(\) of a length"),
    "range": (lambda x: sum(x for _ in range(x.shape[-1])), "index of a length"),
    "a loop": (lambda x: sum(row for row in x), "a loop over the rows of a length"),
    "division": (lambda x: x[..., : int(x.shape[-1] / 2)], "truediv of a length"),
    "float": (lambda x: x * math.sqrt(x.shape[-1]), "float of a length"),
    "rounding": (lambda x: x[..., : math.ceil(x.shape[-1] * 0.5)], "mul with float of a length"),
    "item": (lambda x: x.mean().item() * x, r"item\(\) of a tensor"),
    "numpy": (lambda x: x.numpy() * 1, r"numpy\(\) of a tensor"),
    "unknown function": (lambda x: torch.fft.rfft(x) * 1, "fft_rfft has no ONNX form here"),
    "unknown method": (lambda x: x.cumsum(-1), "cumsum has no ONNX form here"),
    "einsum": (lambda x: torch.einsum("abc->acb", x), "einsum has no ONNX form here"),
    "nearest name": (lambda x: x.tanhh(), "like it are tanh"),
    "zeros": (lambda x: torch.zeros(x.shape) + x, "TypeError"),
    "assignment": (lambda x: x.__setitem__(0, 0), "changes a tensor in part"),
    "in place on a view": (lambda x: (x, x.unsqueeze(1).add_(1))[0], "without inplace=True"),
    "an argument": (lambda x: torch.div(x, 2, rounding_mode="floor"), "div: got an unexpected"),
    "no dict": (lambda x: (x, x), "2 tensors, and 1 outputs are named"),
    "a number": (lambda x: x.shape[0], "output 'y' is Length"),
    "nothing": (lambda _: None, "output 'y' is NoneType"),
    "an attribute": (lambda x: x.tanh().nothing, "nothing has no ONNX form here"),
    "a mistake": (lambda x: {"a": x}["b"], "KeyError"),
    "an assertion": (lambda x: _asserted(x) * 1, "AssertionError"),
    "dtype": (lambda x: x.to(torch.float16), "computes in float32"),
    "equality of values": (lambda x: x * (x == 0), r"a comparison of a tensor \(==\)"),
    "a constant of half": (lambda x: x * torch.ones(2).half(), "float16 beside tensors of float32"),
    "a length as a size": (lambda x: torch.arange(x.shape[-1]) + x, "TypeError: arange"),
    "half": (lambda x: x.half() * 1, "half has no ONNX form here"),
    "wrong axis": (lambda x: x.transpose(1, 5), "axis 5 of a tensor that has 3"),
    "view of unknown": (lambda x: x.squeeze() * 1, "whether an axis of dynamic length is squeezed"),
    "chunk": (lambda x: x.chunk(2, -1)[0], "the number of pieces depends on a length"),
    "linear mode": (lambda x: F.interpolate(x, scale_factor=2, mode="linear"), "only 'nearest'"),
    "half a sample": (lambda x: F.interpolate(x, scale_factor=1.5), "only whole ones"),
    "adaptive": (lambda x: F.adaptive_avg_pool1d(x, 3), "only to 1"),
    "ceil mode": (lambda x: F.avg_pool1d(x, 2, ceil_mode=True), "ceil_mode"),
    "dropout": (lambda x: F.dropout(x) * 1, "call eval"),
    "a computed weight": (lambda x: F.conv1d(x, x), "its weight is computed from the inputs"),
    "broadcast": (lambda x: torch.cat((x, x), 1) * torch.ones(3, 1), r"\[2, 3\] do not broadcast"),
    "float64": (lambda x: x * torch.ones(1, dtype=torch.float64), "beside tensors of float32"),
    "pad mode": (lambda x: F.pad(x, (1, 1), "mirror"), "choose from constant, reflect"),
    "mask": (lambda x: x[x > 0], r"a comparison of a tensor"),
    "no batch": (lambda x: F.conv1d(x[0], torch.ones(1, 1, 3)), "add the batch with unsqueeze"),
}  # fmt: skip


def _asserted(x: Tensor) -> Tensor:
    assert x.shape[1] == 2, "stereo"
    return x


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_followed_is_refused_in_one_line(name: str) -> None:
    function, told = REFUSED[name]
    message = refused(function)
    assert re.search(told, message), message
    line = next(
        i for i, text in enumerate(Path(__file__).read_text().splitlines(), 1)
        if text.startswith(f'    "{name}": (')
    )  # fmt: skip
    if name == "an assertion":
        assert f"{HERE}:{_asserted.__code__.co_firstlineno + 1}: " in message
    elif name not in {"no dict", "a number", "nothing"}:
        assert f"{HERE}:{line}: " in message


def test_an_operation_without_form_is_named_with_those_that_are_like_it() -> None:
    message = refused(lambda x: x.relu3())
    found = re.search(r"like it are ([\w, ]+); export/operators lists all", message)
    assert found is not None and {"relu", "relu6"} <= set(found[1].split(", ")) <= set(WRITERS)
    message = refused(lambda x: x.adaptive_pool())  # nine are like it
    found = re.search(r"like it are ([\w, ]+);", message)
    assert found is not None and len(found[1].split(", ")) == 5


def test_a_layer_with_a_norm_is_named() -> None:
    module = nn.Sequential(nn.Tanh(), weight_norm(nn.Conv1d(1, 1, 3)))
    assert "1 has a norm: fold it" in refused(module, {"input": WAVE})


def test_a_module_that_trains_is_told_to_stop() -> None:
    assert "call eval()" in refused(nn.BatchNorm1d(1), {"input": WAVE})


def test_inputs_that_forward_does_not_take() -> None:
    message = refused(Small(), {"y": WAVE})
    assert "Small.forward(x: " in message and "was given y" in message
    assert "missing a required argument: 'y'" in refused(Pair(torch.add), {"x": WAVE})


def test_an_input_under_the_name_of_an_output() -> None:
    assert "x is an input and an output" in refused(Call(lambda x: {"x": torch.tanh(x)}))


def test_an_unknown_opset() -> None:
    with pytest.raises(HifiError, match="opset 99 is unknown to onnx"):
        trace(Small(), {"x": WAVE}, 99, "g")


def test_nothing_is_left_of_a_trace() -> None:
    """Neither hooks nor symbols in the module, whatever the trace met."""
    module = Small()
    for _ in range(2):
        trace(module, {"x": WAVE}, 18, "g")
        refused(Call(lambda x: x.cumsum(-1)))
    made = module(torch.zeros(1, 1, 16))["score"]
    assert isinstance(made, Tensor) and made.requires_grad


def test_layers_and_weights_keep_their_paths() -> None:
    model = trace(Ensemble(), {"x": WAVE}, 18, "g", lambda path: path.replace("members.", "m"))
    names = [node.name for node in model.graph if node.op_type == "Conv"]
    assert names == ["m0.first", "m0.last", "m1.first", "m1.last"]
    assert {"m0.first.weight", "m0.first.bias", "m1.first.weight"} <= {*model.graph.initializers}
    assert "m1.first.bias" not in model.graph.initializers
    row = nn.Sequential(nn.Conv1d(1, 2, 3), nn.ReLU(), nn.MaxPool1d(2))
    model = trace(nn.Sequential(row), {"input": WAVE}, 18, "g", outputs=["y"])
    assert [node.name for node in model.graph] == ["0.0", "0.1", "y"]
    model = trace(Call(nn.Linear(8, 2)), {"x": ("batch", 8)}, 18, "g", outputs=["y"])
    assert [(n.op_type, n.name) for n in model.graph] == [("MatMul", "function"), ("Add", "y")]


def test_several_inputs_of_any_rank() -> None:
    class Two(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = nn.Conv2d(2, 4, 3, padding=1)
            self.linear = nn.Linear(6, 4)

        def forward(self, image: Tensor, label: Tensor) -> dict[str, Tensor]:
            y = torch.relu(self.conv(image)).mean((2, 3))
            return {"score": (y * self.linear(label)).sum(1), "column": label.unsqueeze(-1)}

    module = Two().eval().requires_grad_(False)
    shapes: dict[str, Shape] = {"image": ("batch", 2, "rows", "columns"), "label": ("batch", 6)}
    model = trace(module, shapes, 18, "g")
    assert [shape_of(v) for v in model.graph.outputs] == [("batch",), ("batch", 6, 1)]
    inputs = {"image": noise((3, 2, 7, 5)), "label": noise((3, 6), 1)}
    expected = module(**{name: torch.from_numpy(x) for name, x in inputs.items()})
    for name, array in zip(expected, session(model).run(None, inputs), strict=True):
        np.testing.assert_allclose(array, expected[name], rtol=1e-4, atol=1e-5)
        np.testing.assert_allclose(
            evaluate(model, inputs)[name], expected[name], rtol=1e-4, atol=1e-5
        )


def test_values_of_one_name_are_told_apart() -> None:
    model = trace(Named(), {"x": WAVE}, 18, "g")
    values = [value.name for node in model.graph for value in node.outputs]
    assert len(set(values)) == len(values) and {"first", "last"} <= {*values}
    assert [str(v.name) for v in model.graph.outputs] == ["first", "last"]
    assert [shape_of(v) for v in model.graph.outputs] == [("batch", 1, None), ("batch", 4, None)]


def test_two_runs_give_the_same_bytes() -> None:
    def content() -> bytes:
        made: bytes = ir.to_proto(
            trace(RIGHT["generator"], {"x": WAVE}, 18, "g")
        ).SerializeToString(deterministic=True)
        return made

    assert content() == content()
