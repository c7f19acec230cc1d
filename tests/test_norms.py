"""Which norm a convolution has, and giving it another."""

from itertools import product

import pytest
import torch
from torch import nn
from torch.nn.utils import parametrizations

from hifigan_ref.norms import Norm, norm_of, set_norm

KEYS: dict[Norm, set[str]] = {
    "none": {"bias", "weight"},
    "weight_norm": {
        "bias",
        "parametrizations.weight.original0",
        "parametrizations.weight.original1",
    },
    "spectral_norm": {
        "bias",
        "parametrizations.weight.original",
        "parametrizations.weight.0._u",
        "parametrizations.weight.0._v",
    },
}
Kind = nn.Conv1d | nn.Conv2d
CONVOLUTIONS = (nn.Conv1d, nn.Conv2d)


def make(kind: type[Kind], norm: Norm) -> Kind:
    torch.manual_seed(0)
    conv = kind(4, 6, 3, groups=2).eval()
    if norm == "weight_norm":
        parametrizations.weight_norm(conv)
    elif norm == "spectral_norm":
        parametrizations.spectral_norm(conv)
    return conv


@pytest.mark.parametrize(("kind", "norm"), list(product(CONVOLUTIONS, KEYS)))
def test_norms_of_today_are_recognised(kind: type[Kind], norm: Norm) -> None:
    assert norm_of(make(kind, norm)) == norm


@pytest.mark.filterwarnings("ignore:.*weight_norm:FutureWarning")
@pytest.mark.parametrize("kind", CONVOLUTIONS)
@pytest.mark.parametrize("norm", ["weight_norm", "spectral_norm"])
def test_norms_of_yesterday_are_recognised(kind: type[Kind], norm: Norm) -> None:
    conv = make(kind, "none")
    getattr(nn.utils, norm)(conv)
    assert norm_of(conv) == norm


def test_a_container_has_no_norm_of_its_own() -> None:
    assert norm_of(nn.Sequential(make(nn.Conv1d, "weight_norm"))) == "none"


@pytest.mark.parametrize(("kind", "before", "after"), list(product(CONVOLUTIONS, KEYS, KEYS)))
def test_every_norm_can_be_exchanged_for_every_other(
    kind: type[Kind], before: Norm, after: Norm
) -> None:
    conv = make(kind, before)
    shape = conv.weight.shape
    set_norm(conv, after)
    assert norm_of(conv) == after
    assert set(conv.state_dict()) == KEYS[after]
    assert conv.weight.shape == shape


@pytest.mark.parametrize("norm", KEYS)
def test_the_same_norm_is_left_alone(norm: Norm) -> None:
    conv = make(nn.Conv1d, norm)
    before = {key: tensor.clone() for key, tensor in conv.state_dict().items()}
    set_norm(conv, norm)
    after = conv.state_dict()
    assert after.keys() == before.keys()
    assert all(torch.equal(after[key], before[key]) for key in before)


@pytest.mark.parametrize("norm", ["weight_norm", "spectral_norm"])
def test_taking_a_norm_away_keeps_the_weight(norm: Norm) -> None:
    conv = make(nn.Conv2d, norm)
    before = conv.weight.detach().clone()
    set_norm(conv, "none")
    assert torch.equal(conv.weight, before)
