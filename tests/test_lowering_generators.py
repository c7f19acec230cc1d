"""Rewrites of a generator's layers: transposed and dilated ones, at every length, in float64."""

from dataclasses import replace

import numpy as np
import onnx
import onnx_ir as ir
import onnxruntime as ort
import pytest
import torch
import torch.nn.functional as F
from numpy.typing import NDArray

from export.builder import Builder, Extent
from export.evaluate import evaluate
from export.lowering import tiles
from export.lowering.convolution import Convolution, exchanged, read, write
from export.lowering.lower import lower
from export.lowering.rule import Form, form_text, parse_form
from export.lowering.rules import polyphase
from export.opset import ir_version
from hifigan_ref.errors import HifiError

WIDTHS = (1, 2, 3, 5, 8, 13)
FLOAT64 = 1e-12  # of the root mean square of the outputs

# taps, stride, dropped in front, dropped behind, groups; the first four are HiFi-GAN's and Piper's
TRANSPOSED = [
    (16, 8, 4, 4, 1), (4, 2, 1, 1, 1), (16, 16, 0, 0, 1), (8, 4, 2, 2, 1),
    (5, 3, 1, 0, 1), (7, 3, 2, 2, 2), (3, 2, 0, 0, 4), (2, 3, 0, 0, 1), (9, 2, 4, 3, 1),
]  # fmt: skip
DILATED = [(3, 1, 1), (3, 3, 3), (3, 5, 5), (7, 12, 36), (11, 5, 25), (3, 2, 4), (5, 3, 0)]


def layer(conv: Convolution, width: Extent, opset: int = 18) -> ir.Model:
    builder = Builder()
    shape = ("batch" if isinstance(width, str) else 2, conv.channels[0], width)
    x = ir.val("x", ir.DataType.FLOAT, shape)
    y = write(builder, conv, x)
    graph = ir.Graph(
        [x], [y], nodes=builder.nodes, initializers=builder.initializers,
        opset_imports={"": opset}, name="layer",
    )  # fmt: skip
    return ir.Model(graph, ir_version=ir_version(opset))


def drawn(c_in: int, c_out: int, taps: int, group: int) -> NDArray[np.float64]:
    weight = np.random.default_rng(0).standard_normal((c_out, c_in // group, taps))
    return weight.astype(np.float32).astype(np.float64)


def transposed(taps: int, stride: int, before: int, after: int, group: int) -> Convolution:
    bias = np.arange(8, dtype=np.float64) / 8
    weight = drawn(4, 8, taps, group)
    return Convolution(
        "up", weight, bias, (stride,), (1,), (before,), (after,), group, transposed=True
    )


def dilated(taps: int, dilation: int, before: int) -> Convolution:
    weight = drawn(4, 6, taps, 1)
    after = dilation * (taps - 1) - before
    return Convolution("wide", weight, None, (1,), (dilation,), (before,), (after,), 1)


def truth(conv: Convolution, x: NDArray[np.float32]) -> NDArray[np.float64]:
    """By PyTorch, pads as zeros or cuts around it."""
    tensor = torch.from_numpy(x.astype(np.float64))
    bias = None if conv.bias is None else torch.from_numpy(conv.bias)
    if conv.transposed:
        weight = torch.from_numpy(exchanged(conv.weight, conv.group))
        whole = F.conv_transpose1d(tensor, weight, bias, conv.strides, groups=conv.group)
        end = whole.shape[2] - conv.after[0]
        return whole[..., conv.before[0] : end].numpy()
    padded = F.pad(tensor, (conv.before[0], conv.after[0]))
    weight = torch.from_numpy(conv.weight)
    return F.conv1d(padded, weight, bias, conv.strides, 0, conv.dilations, conv.group).numpy()


def hold(conv: Convolution, form: Form, opset: int = 18) -> None:
    """Dynamic and fixed, against PyTorch in float64; dynamic also in onnxruntime."""
    plain = layer(conv, "samples", opset)
    lowered = lower(plain, {conv.name: form})
    content = ir.to_proto(lowered).SerializeToString()
    onnx.checker.check_model(content, full_check=True)
    session = ort.InferenceSession(content, providers=["CPUExecutionProvider"])
    kinds = {node.op_type for node in lowered.graph}
    assert "polyphase" not in form or "ConvTranspose" not in kinds
    for width in WIDTHS:
        x = np.random.default_rng(width).standard_normal((2, conv.channels[0], width), np.float32)
        outputs = conv.length(0, width)
        if outputs is None or outputs < 1:
            continue
        expected = truth(conv, x)
        fixed = lower(layer(conv, width, opset), {conv.name: form})
        scale = np.sqrt(np.square(expected).mean())
        for model in (plain, lowered, fixed):
            (found,) = evaluate(model, {"x": x}).values()
            assert found.shape == expected.shape == (2, conv.channels[1], outputs)
            assert np.abs(found - expected).max() <= max(FLOAT64, rounding(form)) * scale
        (single,) = session.run(None, {"x": x})
        assert np.abs(single - expected).max() <= 2e-5 * scale


def rounding(form: Form) -> float:
    """Weights of minimal filters are sums, which are rounded to the file's float32."""
    return 1e-5 if any(name.startswith("fir") for name in form) else FLOAT64


@pytest.mark.parametrize("form", ["polyphase", "polyphase+wide", "polyphase+longer"])
@pytest.mark.parametrize("shape", TRANSPOSED, ids=str)
def test_a_transposed_layer(shape: tuple[int, int, int, int, int], form: str) -> None:
    hold(transposed(*shape), parse_form(form))


@pytest.mark.parametrize("form", ["fold", "fold+columns", "fold+rows", "fold+columns+fir-3-3"])
@pytest.mark.parametrize("shape", DILATED[1:-1], ids=str)
def test_a_dilated_layer(shape: tuple[int, int, int], form: str) -> None:
    if "fir" in form and shape[0] != 3:
        pytest.skip("another number of taps")
    hold(dilated(*shape), parse_form(form))


@pytest.mark.parametrize("opset", [11, 26])
def test_other_opsets(opset: int) -> None:
    hold(transposed(*TRANSPOSED[0]), ("polyphase",), opset)
    hold(dilated(*DILATED[1]), ("fold",), opset)


def test_a_node_is_read_as_it_was_written() -> None:
    for shape in TRANSPOSED:
        conv = transposed(*shape)
        (node,) = layer(conv, 7).graph
        again = read(node)
        assert (again.before, again.after) == (conv.before, conv.after)
        assert np.array_equal(again.weight, conv.weight) and again.transposed


def test_what_does_not_fit_is_refused() -> None:
    up, wide = transposed(*TRANSPOSED[0]), dilated(*DILATED[1])
    refused = [
        (up, "fold", "it is transposed"),
        (up, "wide", "it is transposed"),
        (wide, "polyphase", "it is not transposed"),
        (replace(up, dilations=(2,)), "polyphase", "its taps are dilated"),
        (replace(up, after=(-1,)), "polyphase", "reached by no tap"),
        (dilated(*DILATED[0]), "fold", "it is not dilated"),
        (dilated(*DILATED[-1][:2], 2), "fold", "no multiple of its dilation"),
    ]
    for conv, form, words in refused:
        with pytest.raises(HifiError, match=words):
            lower(layer(conv, 9), {conv.name: parse_form(form)})


def test_a_wrong_phase_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    """A guard on this file's own judge."""
    right = polyphase.phases
    monkeypatch.setattr(polyphase, "phases", lambda conv, each: right(conv, each)[..., ::-1])
    with pytest.raises(AssertionError):
        hold(transposed(*TRANSPOSED[0]), ("polyphase",))
    monkeypatch.setattr(tiles, "shortage", lambda *_: 0)
    with pytest.raises(Exception, match=r".*"):
        hold(dilated(*DILATED[1]), ("fold",))


def test_forms_have_names() -> None:
    assert form_text(parse_form("fold+columns+fir-3-3")) == "fold+columns+fir-3-3"
