"""Folding leaves the same function without norms, whichever way PyTorch attached them."""

import copy
import warnings
from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils import parametrizations, parametrize

import golden
from export.fold import fold, is_plain
from hifigan_ref.errors import HifiError
from hifigan_ref.norms import norm_of
from hifigan_ref.trained import Conv, Trained, convolutions, state_digest
from hifigan_ref.variant import Variant

Attach = Callable[[Conv], nn.Module]


def _old_weight_norm(conv: Conv) -> nn.Module:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        return nn.utils.weight_norm(conv)


def _old_spectral_norm(conv: Conv) -> nn.Module:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        return nn.utils.spectral_norm(conv)


NORMS: dict[str, Attach] = {
    "weight_norm, hooks": _old_weight_norm,
    "weight_norm, parametrizations": parametrizations.weight_norm,
    "spectral_norm, hooks": _old_spectral_norm,
    "spectral_norm, parametrizations": parametrizations.spectral_norm,
}


class _Both(nn.Module):
    """A grouped 1-D convolution, then a 2-D one, then one without a norm."""

    def __init__(self, attach: Attach) -> None:
        super().__init__()
        self.first = attach(nn.Conv1d(4, 6, 5, stride=2, padding=2, groups=2))
        self.second = attach(nn.Conv2d(6, 3, (3, 1), padding=(1, 0)))
        self.third = nn.Conv1d(3, 2, 1)

    def forward(self, x: Tensor) -> Tensor:
        y = self.second(self.first(x).unsqueeze(-1)).squeeze(-1)
        return self.third(y)  # type: ignore[no-any-return]


def _trained(attach: Attach) -> tuple[_Both, Tensor]:
    """A network whose norms are not the identity, in eval mode, and an input for it."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = _Both(attach)
        x = torch.randn(3, 4, 29)
        for _ in range(50):  # spectral norms iterate here
            network(x)
        state = {k: v * 1.7 if k.endswith(("_g", "original0")) else v
                 for k, v in network.state_dict().items()}  # fmt: skip
    network.load_state_dict(state)
    return network.eval().requires_grad_(False), x


@pytest.mark.parametrize("name", NORMS)
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32], ids=["float64", "float32"])
def test_outputs_stay_the_same(name: str, dtype: torch.dtype) -> None:
    network, x = _trained(NORMS[name])
    network, x = network.to(dtype), x.to(dtype)
    before = network(x)
    fold(network)
    tolerance = 1e-13 if dtype == torch.float64 else 1e-5
    torch.testing.assert_close(network(x), before, rtol=tolerance, atol=tolerance)
    assert before.abs().max() > 0.01
    assert network(x).dtype == dtype


@pytest.mark.parametrize("name", NORMS)
def test_nothing_is_left_and_everything_is_counted(name: str) -> None:
    network, _ = _trained(NORMS[name])
    assert [is_plain(conv) for conv in convolutions(network).values()] == [False, False, True]
    report = fold(network)
    spectral = 2 * name.startswith("spectral")
    assert (report.weight_norm, report.spectral_norm, report.plain) == (2 - spectral, spectral, 1)
    for conv in convolutions(network).values():
        assert is_plain(conv)
        assert norm_of(conv) == "none"
        assert not parametrize.is_parametrized(conv)
        assert type(conv) in {nn.Conv1d, nn.Conv2d}
        assert not conv._forward_pre_hooks
        assert not conv.weight.requires_grad
    keys = {
        f"{layer}.{key}" for layer in ("first", "second", "third") for key in ("weight", "bias")
    }
    assert set(network.state_dict()) == keys


@pytest.mark.parametrize("name", NORMS)
def test_the_error_is_reported(name: str) -> None:
    network, _ = _trained(NORMS[name])
    assert 0 < fold(network).max_relative_error < 1e-6


@pytest.mark.parametrize("name", NORMS)
def test_the_error_is_that_of_float32(name: str) -> None:
    """In a float64 network nothing is left of it."""
    network, _ = _trained(NORMS[name])
    assert fold(network.double()).max_relative_error < 1e-14


@pytest.mark.parametrize("name", NORMS)
def test_a_folded_network_folds_to_itself(name: str) -> None:
    network, _ = _trained(NORMS[name])
    fold(network)
    digest = state_digest(network)
    again = fold(network)
    assert (again.weight_norm, again.spectral_norm, again.plain) == (0, 0, 3)
    assert again.max_relative_error == 0
    assert state_digest(network) == digest


@pytest.mark.parametrize("name", NORMS)
def test_folding_a_copy_leaves_the_original_working(name: str) -> None:
    network, x = _trained(NORMS[name])
    before, digest = network(x), state_digest(network)
    with torch.no_grad():  # the hooks cannot be copied where gradients are recorded
        copies = [copy.deepcopy(network) for _ in range(2)]
    for duplicate in copies:
        fold(duplicate)
        torch.testing.assert_close(duplicate(x), before)
        assert not any(is_plain(conv) for conv in (network.first, network.second))
        assert torch.equal(network(x), before)
    assert state_digest(network) == digest


def test_an_untrained_spectral_norm_of_the_old_api_is_refused() -> None:
    torch.manual_seed(0)
    network = nn.Sequential(_old_spectral_norm(nn.Conv1d(8, 32, 41))).eval()
    with pytest.raises(HifiError, match="never iterated") as caught:
        fold(network)
    message = str(caught.value)
    assert "spectral norm of 0 " in message
    assert "train mode" in message
    assert "\n" not in message


def test_spectral_vectors_drawn_at_random_are_refused_in_the_new_api_too() -> None:
    torch.manual_seed(0)
    conv = parametrizations.spectral_norm(nn.Conv1d(8, 32, 41))
    state = conv.state_dict()
    for name in ("_u", "_v"):
        vector = state[f"parametrizations.weight.0.{name}"]
        vector.copy_(nn.functional.normalize(torch.randn_like(vector), dim=0))
    with pytest.raises(HifiError, match="never iterated"):
        fold(nn.Sequential(conv).eval())


@pytest.mark.parametrize("value", [float("nan"), 0.0])
def test_a_spectral_norm_that_divides_by_nothing_is_refused(value: float) -> None:
    conv = parametrizations.spectral_norm(nn.Conv1d(8, 32, 41))
    conv.state_dict()["parametrizations.weight.0._u"].fill_(value)
    with pytest.raises(HifiError, match="never iterated"):
        fold(nn.Sequential(conv).eval())


def test_a_few_training_steps_are_enough() -> None:
    torch.manual_seed(0)
    network = nn.Sequential(_old_spectral_norm(nn.Conv1d(8, 32, 41)))
    for _ in range(10):
        network(torch.randn(2, 8, 50))
    assert fold(network.eval()).spectral_norm == 1


def test_the_ensembles_have_the_norms_of_the_article(mpd: Trained, msd: Trained) -> None:
    expected = ((mpd, (30, 0, 0)), (msd, (16, 8, 0)))
    for trained, counts in expected:
        report = fold(copy.deepcopy(trained.module))
        assert (report.weight_norm, report.spectral_norm, report.plain) == counts
        assert 0 < report.max_relative_error < 1e-6
        assert state_digest(trained.module) == trained.digest


def test_folded_weights_are_those_of_the_golden(mpd_11: Trained, msd_0: Trained) -> None:
    for trained in (mpd_11, msd_0):
        state = {name: tensor.numpy() for name, tensor in trained.module.state_dict().items()}
        expected = golden.fold(state)
        network = copy.deepcopy(trained.module)
        fold(network)
        found = network.state_dict()
        assert set(found) == set(expected)
        for name, tensor in found.items():
            # the nearest float32 of the exact weight: what folding in float32 would not be
            nearest = expected[name].astype(np.float32)
            assert np.mean(tensor.numpy() == nearest) > 0.9999, name
            np.testing.assert_allclose(tensor.numpy(), expected[name], rtol=1e-7, atol=1e-12)


def _damaged(change: Callable[[Tensor], object], key: str) -> nn.Module:
    network, _ = _trained(parametrizations.weight_norm)
    change(network.state_dict()[key])
    return network


def test_a_direction_of_zeros_is_refused() -> None:
    network = _damaged(lambda v: v.zero_(), _direction())
    with pytest.raises(HifiError, match="divides by the length of a vector of zeros"):
        fold(network)


def _direction() -> str:
    network, _ = _trained(parametrizations.weight_norm)
    return next(key for key in network.state_dict() if key.endswith(("weight_v", "original1")))


@pytest.mark.parametrize(
    ("name", "layer"),
    [
        ("mpd-2", "mpd's discriminators.0.convs.2"),
        ("mpd-11", "mpd's discriminators.4.convs.2"),
        ("mpd", "mpd's discriminators.3.convs.2"),
        ("msd-2", "msd's discriminators.2.convs.2"),
    ],
)
def test_a_layer_of_a_partial_network_is_named_as_in_its_checkpoint(name: str, layer: str) -> None:
    variant = Variant.parse(name)
    module = variant.network.build(variant.members())
    index = 0 if variant.member else 3
    v = module.state_dict()[f"discriminators.{index}.convs.2.parametrizations.weight.original1"]
    v[3] = 0
    with pytest.raises(HifiError, match=f"the weight norm of {layer} divides by"):
        fold(module, variant)


def test_numbers_that_underflow_in_float32_are_refused() -> None:
    network = _damaged(lambda v: v.mul_(1e-30), _direction())
    with pytest.raises(HifiError, match="overflow or underflow; look at the checkpoint"):
        fold(network)


def test_weights_of_zero_fold_without_an_error() -> None:
    network, _ = _trained(parametrizations.weight_norm)
    key = next(key for key in network.state_dict() if key.endswith(("weight_g", "original0")))
    network.state_dict()[key].zero_()
    assert fold(network).max_relative_error < 1e-6
