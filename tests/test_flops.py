"""FLOPs counted from the graph, against the published layer table and PyTorch's own count."""

import copy

import onnx_ir as ir
import pytest
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

import golden
from export.flops import count_flops
from export.fold import fold
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


def _total(networks: Networks, request: ExportRequest, batch: int, samples: int) -> int:
    model = to_onnx(networks[str(request.variant)], request)
    return sum(layer.flops for layer in count_flops(model, batch, samples))


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
    assert _total(networks, ExportRequest(Variant(name), pair=True), 3, 701) == 2 * one


@pytest.mark.parametrize("name", ["mpd", "msd"])
def test_fixed_axes_and_the_choice_of_outputs_change_nothing(networks: Networks, name: str) -> None:
    dynamic = _total(networks, ExportRequest(Variant(name)), 2, 704)
    fixed = ExportRequest(Variant(name), batch=2, samples=704, outputs="scores")
    assert _total(networks, fixed, 2, 704) == dynamic


def test_every_layer_is_named_and_the_graph_is_left_alone(networks: Networks) -> None:
    model = to_onnx(networks["mpd"], ExportRequest(Variant("mpd")))
    before = ir.to_proto(model).SerializeToString(deterministic=True)
    layers = count_flops(model, 2, 8192)
    assert ir.to_proto(model).SerializeToString(deterministic=True) == before
    names = [layer.name for layer in layers]
    assert len(names) == len({*names}) == 30
    assert {f"mpd_{p}.conv_post" for p in golden.PERIODS} <= {*names}
    assert all(isinstance(layer.flops, int) and layer.flops > 0 for layer in layers)
