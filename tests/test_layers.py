"""FLOPs and bytes counted from the graph, against the layer table, PyTorch and numbers by hand."""

import copy

import onnx_ir as ir
import pytest
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

import golden
from export.fold import fold
from export.layers import GraphLayer, count_layers
from export.request import ExportRequest
from export.to_onnx import to_onnx
from hifigan_ref.trained import Trained
from hifigan_ref.variant import Variant

Networks = dict[str, nn.Module]


@pytest.fixture(scope="module")
def networks(mpd: Trained, msd: Trained) -> Networks:
    found = {name: copy.deepcopy(each.module) for name, each in (("mpd", mpd), ("msd", msd))}
    for network in found.values():
        fold(network)
    return found


def _layers(
    networks: Networks, request: ExportRequest, batch: int, samples: int
) -> dict[str, GraphLayer]:
    model = to_onnx(networks[str(request.variant)], request)
    found = count_layers(model, {"batch": batch, "samples": samples})
    return {layer.name: layer for layer in found}


def _total(networks: Networks, request: ExportRequest, batch: int, samples: int) -> int:
    return sum(layer.flops for layer in _layers(networks, request, batch, samples).values())


def _by_hand(name: str, samples: int) -> int:
    """Twice the multiply-adds of the golden's layer table."""

    def stack(length: int, columns: int, layers: tuple[golden.Layer, ...]) -> int:
        total = 0
        for layer in layers:
            length = (length + 2 * layer.padding - layer.kernel) // layer.stride + 1
            taps = layer.inputs // layer.groups * layer.kernel
            total += 2 * columns * length * layer.outputs * taps
        return total

    if name == "mpd":
        return sum(stack(-(-samples // p), p, golden.PERIOD_LAYERS) for p in golden.PERIODS)
    lengths = [samples]
    for _ in golden.SCALES[1:]:
        lengths.append(lengths[-1] // 2 + 1)
    return sum(stack(length, 1, golden.SCALE_LAYERS) for length in lengths)


@pytest.mark.parametrize(("name", "giga"), [("mpd", 9.44), ("msd", 7.86)])
def test_the_ensembles_at_the_length_of_training(
    networks: Networks, name: str, giga: float
) -> None:
    found = _total(networks, ExportRequest(Variant(name)), 1, 8192)
    assert found == pytest.approx(giga * 1e9, rel=0.005)


@pytest.mark.parametrize("name", ["mpd", "msd"])
@pytest.mark.parametrize("samples", [6, 701, 8192, 22050])
def test_the_layer_table_gives_the_same_number(networks: Networks, name: str, samples: int) -> None:
    assert _total(networks, ExportRequest(Variant(name)), 1, samples) == _by_hand(name, samples)


@pytest.mark.parametrize("name", ["mpd", "msd"])
@pytest.mark.parametrize(("batch", "samples"), [(1, 701), (2, 2311)])
def test_pytorch_counts_the_same(networks: Networks, name: str, batch: int, samples: int) -> None:
    counter = FlopCounterMode(display=False)
    with torch.no_grad(), counter:
        networks[name].judge(torch.zeros(batch, 1, samples))  # type: ignore[operator]
    found = _total(networks, ExportRequest(Variant(name)), batch, samples)
    assert found == counter.get_total_flops()


@pytest.mark.parametrize("name", ["mpd", "msd"])
def test_the_batch_multiplies(networks: Networks, name: str) -> None:
    request = ExportRequest(Variant(name))
    one = _total(networks, request, 1, 8192)
    assert _total(networks, request, 16, 8192) == 16 * one


@pytest.mark.parametrize("name", ["mpd", "msd"])
def test_a_pair_is_twice_as_much(networks: Networks, name: str) -> None:
    one = _total(networks, ExportRequest(Variant(name)), 3, 701)
    assert _total(networks, ExportRequest(Variant(name), views=("pair",)), 3, 701) == 2 * one


@pytest.mark.parametrize("name", ["mpd", "msd"])
def test_fixed_axes_and_the_choice_of_outputs_change_nothing(networks: Networks, name: str) -> None:
    dynamic = _total(networks, ExportRequest(Variant(name)), 2, 704)
    fixed = ExportRequest(Variant(name), sizes={"batch": 2, "samples": 704}, views=("scores",))
    assert _total(networks, fixed, 2, 704) == dynamic


def test_every_layer_is_named_and_the_graph_is_left_alone(networks: Networks) -> None:
    model = to_onnx(networks["mpd"], ExportRequest(Variant("mpd")))
    before = ir.to_proto(model).SerializeToString(deterministic=True)
    layers = count_layers(model, {"batch": 2, "samples": 8192})
    assert ir.to_proto(model).SerializeToString(deterministic=True) == before
    convolutions = [layer for layer in layers if layer.flops]
    assert all(layer.kind.startswith("Conv") for layer in convolutions)
    names = [layer.name for layer in convolutions]
    assert len(names) == len({*names}) == 30
    assert {f"mpd_{p}.conv_post" for p in golden.PERIODS} <= {*names}
    assert len(layers) == 30 + len(golden.PERIODS), "a pad each, and nothing else moves numbers"


# Bytes


def test_a_layer_of_a_period_by_hand(networks: Networks) -> None:
    """T=8192 is 745 rows of period 11, then 249, 83, 28 and 10 of them."""
    layers = _layers(networks, ExportRequest(Variant("mpd")), 2, 8192)
    third = layers["mpd_11.convs.2"]
    weights = 512 * 128 * 5 + 512
    moved = weights + 2 * 128 * 83 * 11 + 2 * 512 * 28 * 11
    assert third.bytes == 4 * moved
    assert third.flops == 2 * (2 * 512 * 28 * 11) * (128 * 5)
    assert (third.kind, third.nodes) == ("Conv + LeakyRelu", ("mpd_11.convs.2", "mpd_11_fmap_2"))


def test_a_layer_of_a_scale_by_hand(networks: Networks) -> None:
    """The second layer: 41 taps, stride 2, 4 groups, so 32 channels into each output."""
    layers = _layers(networks, ExportRequest(Variant("msd")), 3, 8192)
    second = layers["msd_0.convs.1"]
    moved = (128 * 32 * 41 + 128) + 3 * 128 * 8192 + 3 * 128 * 4096
    assert second.bytes == 4 * moved
    assert second.flops == 2 * (3 * 128 * 4096) * (32 * 41)


def test_a_layer_that_computes_nothing_moves_its_numbers(networks: Networks) -> None:
    layers = _layers(networks, ExportRequest(Variant("msd"), views=("pair",)), 2, 8192)
    both = layers["cat"]
    assert (both.kind, both.flops, both.bytes) == ("Concat", 0, 4 * (2 * 2 * 8192 + 4 * 8192))
    pool = layers["meanpools.0"]
    assert (pool.kind, pool.flops, pool.bytes) == ("AveragePool", 0, 4 * 4 * (8192 + 4097))
    assert sum("Slice" in layer.kind for layer in layers.values()) == 2 * 3 * (8 + 1)


def test_a_spectrogram_keeps_its_own_shape() -> None:
    """80 bands to 4 channels by 3 taps, on 32 frames."""
    head = '<ir_version: 10, opset_import: ["" : 18]> g (float[batch, 80, frames] x, '
    head += "float[4, 80, 3] w) => (float[batch, C, L] y) "
    model = ir.from_onnx_text(head + "{ y = Conv <pads = [1, 1]> (x, w) }")
    (one,) = count_layers(model, {"batch": 1, "frames": 32})
    assert one.bytes == 4 * (4 * 80 * 3 + 80 * 32 + 4 * 32) == 14_592
    assert one.flops == 2 * (4 * 32) * (80 * 3)
    (three,) = count_layers(model, {"batch": 3, "frames": 32})
    assert three.bytes == 4 * (4 * 80 * 3 + 3 * (80 * 32 + 4 * 32))


@pytest.mark.parametrize("name", ["mpd", "msd"])
def test_the_layer_table_gives_the_same_bytes(networks: Networks, name: str) -> None:
    """Of all convolutions together: every weight once, every waveform and feature map."""
    layers = _layers(networks, ExportRequest(Variant(name)), 1, 8192)
    found = sum(layer.bytes for layer in layers.values() if layer.flops)
    assert found == 4 * _moved_by_hand(name, 8192)


def _moved_by_hand(name: str, samples: int) -> int:
    def stack(length: int, columns: int, layers: tuple[golden.Layer, ...]) -> int:
        total = 0
        for layer in layers:
            total += layer.inputs * length * columns
            length = (length + 2 * layer.padding - layer.kernel) // layer.stride + 1
            total += layer.outputs * length * columns
            total += layer.outputs * (layer.inputs // layer.groups * layer.kernel + 1)
        return total

    if name == "mpd":
        return sum(stack(-(-samples // p), p, golden.PERIOD_LAYERS) for p in golden.PERIODS)
    lengths = [samples, samples // 2 + 1, (samples // 2 + 1) // 2 + 1]
    return sum(stack(length, 1, golden.SCALE_LAYERS) for length in lengths)


# Which nodes are one layer


def _graph(text: str) -> tuple[GraphLayer, ...]:
    """Layers of a graph with a convolution of 2 channels by 1 tap."""
    head = '<ir_version: 10, opset_import: ["" : 18]> g (float[N, 1, T] x) => '
    weights = "<float[2, 1, 1] w = {1, 2}, float[2] b = {1, 2}, float[1] one = {1}>"
    model = ir.from_onnx_text(f"{head}(float[N, C, L] y) {weights} {{ {text} }}")
    return count_layers(model, {"N": 1, "T": 8})


@pytest.mark.parametrize(
    ("text", "kinds", "moved"),
    [
        ("c = Conv(x, w, b) y = LeakyRelu(c)", ["Conv + LeakyRelu"], [8 + 2 + 2 + 16]),
        (
            "c = Conv(x, w) a = Add(c, one) y = Relu(a)",
            ["Conv + Add + Relu"],
            [8 + 2 + 1 + 16],
        ),
        # read by two, so it must be written
        (
            "c = Conv(x, w) r = Relu(c) y = Add(r, c)",
            ["Conv", "Relu", "Add"],
            [8 + 2 + 16, 32, 48],
        ),
        # another tensor is added, which must be read
        ("c = Conv(x, w) y = Add(c, x)", ["Conv", "Add"], [8 + 2 + 16, 16 + 8 + 16]),
        # no function of one element
        ("c = Conv(x, w) y = Softmax(c)", ["Conv", "Softmax"], [8 + 2 + 16, 32]),
        # no convolution before it
        ("a = Relu(x) y = Conv(a, w)", ["Relu", "Conv"], [16, 8 + 2 + 16]),
        # another shape of the same numbers
        ("c = Conv(x, w) s = Unsqueeze(c, one_i) y = Squeeze(s, one_i)", ["Conv"], [26]),
        # what is read twice is read once
        ("y = Mul(x, x)", ["Mul"], [16]),
    ],
)
def test_what_is_fused_and_what_is_free(text: str, kinds: list[str], moved: list[int]) -> None:
    constant = "one_i = Constant <value_ints = [1]> () " if "one_i" in text else ""
    layers = _graph(constant + text)
    assert [layer.kind for layer in layers] == kinds
    assert [layer.bytes for layer in layers] == [4 * count for count in moved]


def test_an_output_of_the_graph_is_written_before_its_activation() -> None:
    head = '<ir_version: 10, opset_import: ["" : 18]> g (float[N, 1, T] x) => '
    text = head + "(float[N, C, L] c, float[N, C, L] y) <float[2, 1, 1] w = {1, 2}>"
    model = ir.from_onnx_text(text + "{ c = Conv(x, w) y = Relu(c) }")
    assert [layer.kind for layer in count_layers(model, {"N": 1, "T": 8})] == ["Conv", "Relu"]
