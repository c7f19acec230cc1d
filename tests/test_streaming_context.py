"""The context of a chunk is enough, and not one element more than that."""

from math import ceil
from typing import Any

import numpy as np
import onnx_ir as ir
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from export.evaluate import evaluate
from export.frontend.tracing import trace
from export.request import ExportRequest
from export.stream_record import NEXT, PAST, REMAINING, STATE
from export.streaming.chunk_graph import chunked, stateful
from export.streaming.context import Context, context_of
from export.streaming.field import field_of
from export.to_onnx import to_onnx
from hifigan_ref.errors import HifiError
from hifigan_ref.source import Source
from hifigan_ref.variant import Variant

CHANNELS = 4
FIELDS = {
    "generator-v1": 13,
    "generator-v2": 13,
    "vits-decoder": 13,
    "generator-v3": 11,
    "piper-decoder": 11,
}


class Residual(nn.Module):
    """A layer of any length beside its input."""

    def __init__(self, kernel: int, dilation: int, groups: int) -> None:
        super().__init__()
        around = dilation * (kernel - 1) // 2
        self.conv = nn.Conv1d(
            CHANNELS, CHANNELS, kernel, 1, around, dilation=dilation, groups=groups
        )

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.conv(torch.sigmoid(x))
        return x + out


class ByName(nn.Module):
    def __init__(self, layers: list[nn.Module]) -> None:
        super().__init__()
        self.layers = nn.Sequential(*layers)

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        return {"y": self.layers(x)}


def layers() -> st.SearchStrategy[nn.Module]:
    small = st.integers(0, 3)
    groups = st.sampled_from((1, 2, 4))
    conv = st.builds(
        lambda k, s, d, g, p: nn.Conv1d(CHANNELS, CHANNELS, k, s, p, d, g),
        st.integers(1, 7), st.integers(1, 3), st.integers(1, 4), groups, small,
    )  # fmt: skip
    up = st.builds(
        lambda s, more, p, g: nn.ConvTranspose1d(CHANNELS, CHANNELS, s + more, s, p, groups=g),
        st.integers(1, 4), small, st.integers(0, 2), groups,
    )  # fmt: skip
    residual = st.builds(Residual, st.sampled_from((1, 3, 5)), st.sampled_from((1, 2, 4)), groups)
    others = st.sampled_from(
        (
            nn.LeakyReLU(0.1),
            nn.Sigmoid(),
            nn.Upsample(scale_factor=2),
            nn.ConstantPad1d((2, 1), 0.0),
            nn.AvgPool1d(4, 2, 2),
        )
    )
    return st.one_of(conv, up, residual, others)


def graph_of(module: nn.Module, seed: int = 0) -> ir.Model:
    torch.manual_seed(seed)
    for parameter in module.parameters():
        nn.init.normal_(parameter)
    shapes = {"x": ("batch", CHANNELS, "frames")}
    return trace(module.eval(), shapes, 18, "net", lambda path: path, ["y"])


def outputs(model: ir.Model, **inputs: Any) -> Any:
    return evaluate(model, inputs)["y"]


@settings(max_examples=25, deadline=None)
@given(st.lists(layers(), min_size=1, max_size=5), st.integers(1, 3))
def test_the_context_is_enough_and_none_of_it_is_too_much(
    stack: list[nn.Module], count: int
) -> None:
    model = graph_of(ByName(stack))
    context = context_of(model)
    chunk = count * context.grain
    first = (context.left // context.grain + 2) * context.grain
    length = first + chunk + context.right + 40 * context.grain
    x = np.random.default_rng(0).standard_normal((1, CHANNELS, length))
    a, b = span_of(model, context, first, chunk)
    whole = outputs(model, x=x)[:, :, a:b]
    begin, end = first - context.left, first + chunk + context.right

    def changed(keep: slice) -> float:
        other = np.random.default_rng(1).standard_normal(x.shape)
        other[:, :, keep] = x[:, :, keep]
        return float(np.abs(outputs(model, x=other)[:, :, a:b] - whole).max())

    assert changed(slice(begin, end)) <= 1e-12 * max(np.abs(whole).max(), 1)
    if context.left:
        assert changed(slice(begin + 1, end)) > 0
    if context.right:
        assert changed(slice(begin, end - 1)) > 0


def span_of(model: ir.Model, context: Context, first: int, chunk: int) -> tuple[int, int]:
    rate = field_of(model).rates["y"]
    assert context.unit == "frames"
    return int(first * rate), int((first + chunk) * rate)


@settings(max_examples=25, deadline=None)
@given(
    st.lists(layers(), min_size=1, max_size=5),
    st.integers(1, 3),
    st.integers(1, 90),
    st.sampled_from((1, 3)),
)
def test_chunks_are_the_whole_with_its_edges(
    stack: list[nn.Module], count: int, length: int, batch: int
) -> None:
    model = graph_of(ByName(stack))
    context = context_of(model)
    chunk = count * context.grain
    rng = np.random.default_rng(0)
    x = rng.standard_normal((batch, CHANNELS, length))
    try:
        whole = outputs(model, x=x)
    except (HifiError, RuntimeError):
        return  # shorter than a layer takes
    small, _ = chunked(model, chunk)
    around = [
        rng.standard_normal((batch, CHANNELS, n)) for n in (context.left, context.right + chunk)
    ]
    wide = np.concatenate([around[0], x, around[1]], 2)
    size = context.left + chunk + context.right
    parts = []
    for first in range(0, length, chunk):
        ends = {PAST: np.full(batch, first), REMAINING: np.full(batch, length - first)}
        parts.append(outputs(small, x=wide[:, :, first : first + size], **ends))
    found = np.concatenate(parts, 2)
    n = min(found.shape[2], whole.shape[2])
    if not whole.size:
        return
    assert n > whole.shape[2] - max(parts[0].shape[2], 40)
    scale = max(np.abs(whole).max(), 1)
    assert np.abs(found[:, :, :n] - whole[:, :, :n]).max() <= 1e-12 * scale


@settings(max_examples=25, deadline=None)
@given(
    st.lists(layers(), min_size=1, max_size=5),
    st.integers(1, 3),
    st.integers(1, 90),
    st.sampled_from((1, 3)),
)
def test_chunks_with_states_are_the_whole_with_its_edges(
    stack: list[nn.Module], count: int, length: int, batch: int
) -> None:
    model = graph_of(ByName(stack))
    context = context_of(model)
    chunk = count * context.grain
    rng = np.random.default_rng(0)
    x = rng.standard_normal((batch, CHANNELS, length))
    try:
        whole = outputs(model, x=x)
    except (HifiError, RuntimeError):
        return  # shorter than a layer takes
    made, delays = stateful(model, chunk)
    field = field_of(model)
    delay, rate = -delays.made["y"].first, field.rates["y"]
    if all(reach.last(0) >= 0 for reach in field.reaches.values()):  # no layer is late by itself
        assert delay <= rate * -(-context.right // context.grain) * context.grain
    found = streamed(made, x, chunk, length + ceil(delay / rate), rng)
    found = found[:, :, delay : delay + whole.shape[2]]
    assert found.shape[2] >= whole.shape[2] - 40  # of a transposed layer's end
    scale = max(np.abs(whole).max(initial=0), 1)
    error = np.abs(found - whole[:, :, : found.shape[2]]).max(initial=0)
    assert error <= 1e-12 * scale


def streamed(
    made: ir.Model, x: np.ndarray, chunk: int, until: int, rng: np.random.Generator
) -> np.ndarray:
    """What a graph with states makes of a signal, with noise behind it."""
    batch, length = x.shape[0], x.shape[2]
    wide = np.concatenate([x, rng.standard_normal((batch, CHANNELS, until + chunk))], 2)
    states: dict[str, Any] = {
        str(v.name): np.zeros((batch, *map(int, list(v.shape or ())[1:])))  # type: ignore[arg-type]
        for v in made.graph.inputs
        if str(v.name).startswith(STATE)
    }
    states[STATE + PAST] = np.zeros(batch, np.int64)
    parts = []
    for first in range(0, until, chunk):
        ends = {REMAINING: np.full(batch, length - first)}
        part = {"x": wide[:, :, first : first + chunk], **ends, **states}
        found = evaluate(made, part)
        states = {name: found[f"{NEXT}{name}"] for name in states}
        states[STATE + PAST] = states[STATE + PAST].astype(np.int64)
        parts.append(found["y"])
    return np.concatenate(parts, 2)


def test_a_signal_begins_where_none_of_it_is_past() -> None:
    model = graph_of(ByName([Residual(5, 2, 1), nn.ConvTranspose1d(CHANNELS, CHANNELS, 4, 2, 1)]))
    made, delays = stateful(model, 3)
    x = np.random.default_rng(0).standard_normal((2, CHANNELS, 12))
    delay = -delays.made["y"].first
    states: dict[str, Any] = {
        str(v.name): np.full((2, *map(int, list(v.shape or ())[1:])), 7.0)  # type: ignore[arg-type]
        for v in made.graph.inputs
        if str(v.name).startswith(STATE)
    }
    found = []
    for first in range(0, 12, 3):
        past = np.array([first, 1000 + first])
        part = {"x": x[:, :, first : first + 3], REMAINING: np.full(2, 99), STATE + PAST: past}
        outs = evaluate(made, {**states, **part})
        states = {name: outs[f"{NEXT}{name}"] for name in states}
        found.append(outs["y"])
    audio = np.concatenate(found, 2)[:, :, delay:]
    whole = outputs(model, x=x)[:, :, : audio.shape[2]]
    assert np.abs(audio[0] - whole[0]).max() <= 1e-12  # what its states hold is of another signal
    assert np.abs(audio[1] - whole[1]).max() > 1e-3


def traced(name: str) -> ir.Model:
    variant = Variant.parse(name)
    from export.fold import fold

    trained = Source.of([variant], None, 0).build(variant)
    fold(trained.module, variant)
    return to_onnx(trained.module, ExportRequest(variant))


@pytest.mark.parametrize("name", FIELDS)
def test_the_generators_need_what_their_layers_add_up_to(name: str) -> None:
    context = context_of(traced(name))
    assert (context.left, context.right, context.grain) == (FIELDS[name], FIELDS[name], 1)


class Mean(nn.Module):
    def forward(self, x: Tensor) -> dict[str, Tensor]:
        return {"y": x - x.mean(-1, keepdim=True)}


class Attention(nn.Module):
    def forward(self, x: Tensor) -> dict[str, Tensor]:
        return {"y": torch.matmul(x, x.transpose(1, 2)) @ x}


class Soft(nn.Module):
    def forward(self, x: Tensor) -> dict[str, Tensor]:
        return {"y": torch.softmax(x, -1)}


class Mirror(nn.Module):
    def forward(self, x: Tensor) -> dict[str, Tensor]:
        return {"y": nn.functional.pad(x, (1, 1), mode="reflect")}


@pytest.mark.parametrize(
    ("module", "named"),
    [
        (Mean(), "ReduceMean"),
        (Attention(), "MatMul"),
        (Soft(), "Softmax"),
        (ByName([nn.InstanceNorm1d(CHANNELS)]), "InstanceNormalization"),
        (ByName([nn.AdaptiveAvgPool1d(1)]), "GlobalAveragePool"),
    ],
    ids=lambda each: each if isinstance(each, str) else "",
)
def test_what_reads_everything_is_named(module: nn.Module, named: str) -> None:
    with pytest.raises(HifiError, match=rf"\({named}\) has no finite field along time") as error:
        context_of(graph_of(module))
    assert "\n" not in str(error.value)


class Table(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("rows", torch.randn(2, 5))

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        row = torch.sigmoid(x)[:, 0].unsqueeze(-1)
        return {"y": self.get_buffer("rows")[1] * row + x[:, 1:2, :].transpose(1, 2)}


def test_rows_of_channels_are_picked_at_each_moment() -> None:
    context = context_of(graph_of(Table()))
    assert (context.left, context.right) == (0, 0)


def test_a_mirror_is_no_zero() -> None:
    model = graph_of(Mirror())
    assert context_of(model).left == 1
    with pytest.raises(HifiError, match="finds a padding of mode reflect outside of the signal"):
        chunked(model, 4)
