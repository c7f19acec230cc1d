"""The multi-period discriminator against the numpy golden, in float64, and its own promises."""

import copy
from typing import cast

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.fx import symbolic_trace

import golden
from hifigan_ref.mpd import DiscriminatorP, MultiPeriodDiscriminator
from hifigan_ref.networks.mpd import NETWORKS, PERIODS
from hifigan_ref.norms import norm_of, set_norm
from hifigan_ref.trained import Trained, convolutions

TOLERANCE = 1e-10  # of the largest value of an output
FMAPS = 6

Outputs = dict[str, NDArray[np.float64]]


@pytest.fixture(scope="module")
def double(mpd: Trained) -> MultiPeriodDiscriminator:
    """Norms taken off, in float64, to be quick at many lengths."""
    module = MultiPeriodDiscriminator(PERIODS)  # not a deep copy: norms come off its class
    module.load_state_dict(mpd.module.state_dict())
    module.double().eval()
    for conv in convolutions(module).values():
        set_norm(conv, "none")
    return module.requires_grad_(requires_grad=False)


@pytest.fixture(scope="module")
def state(mpd: Trained) -> Outputs:
    """All weights, their norms folded by the golden."""
    return golden.fold(as_numpy(mpd.module))


def as_numpy(module: nn.Module) -> dict[str, NDArray[np.float32]]:
    return {key: tensor.numpy() for key, tensor in module.state_dict().items()}


def noise(batch: int, samples: int) -> Tensor:
    """A waveform (N, 1, T) in float64, as loud as speech."""
    generator = torch.Generator().manual_seed(1000 * batch + samples)
    return 0.1 * torch.randn(batch, 1, samples, generator=generator, dtype=torch.float64)


def named(score: Tensor, fmaps: list[Tensor], prefix: str = "") -> dict[str, Tensor]:
    return {f"{prefix}score": score} | {f"{prefix}fmap_{j}": x for j, x in enumerate(fmaps)}


def judged(module: MultiPeriodDiscriminator, y: Tensor) -> dict[str, Tensor]:
    outputs: dict[str, Tensor] = {}
    for period, (score, fmaps) in zip(PERIODS, module.judge(y), strict=True):
        outputs |= named(score, fmaps, f"mpd_{period}_")
    return outputs


def assert_close(outputs: dict[str, Tensor], expected: Outputs) -> None:
    assert list(outputs) == list(expected)
    for name, tensor in outputs.items():
        assert tensor.shape == expected[name].shape, name
        error = np.abs(tensor.detach().numpy() - expected[name]).max()
        assert error <= TOLERANCE * np.abs(expected[name]).max(), name


# Every residue of every period from the smallest legal length up, then lengths that all periods
# divide, or none; 8192 is a training segment.
@pytest.mark.parametrize(
    ("batch", "samples"),
    [*((1, samples) for samples in range(6, 17)), (2, 6), (5, 13), (2, 2310), (5, 1009), (1, 8192)],
)
def test_every_member_agrees_with_the_golden(
    double: MultiPeriodDiscriminator, state: Outputs, batch: int, samples: int
) -> None:
    y = noise(batch, samples)
    assert_close(judged(double, y), golden.mpd(state, y.numpy()))


@pytest.mark.parametrize("index", range(len(PERIODS)))
def test_each_member_works_from_its_own_shortest_length_up(
    double: MultiPeriodDiscriminator, state: Outputs, index: int
) -> None:
    period = PERIODS[index]
    shortest = NETWORKS[0].members[str(period)].smallest
    prefix = f"discriminators.{index}."
    own = {k.removeprefix(prefix): v for k, v in state.items() if k.startswith(prefix)}
    for samples in range(shortest, period + 1):
        y = noise(2, samples)
        score, fmaps = double.discriminators[index](y)
        assert_close(named(score, fmaps), golden.member(f"mpd-{period}", own, y.numpy()))
    with pytest.raises(RuntimeError, match=r"(?i)pad"):
        double.discriminators[index](noise(2, shortest - 1))


def test_norms_in_place_agree_with_the_golden_that_folds_them(
    mpd: Trained,
) -> None:
    y = noise(1, 100)
    double = cast("MultiPeriodDiscriminator", copy.deepcopy(mpd.module).double())
    assert_close(judged(double, y), golden.mpd(as_numpy(mpd.module), y.numpy()))


def test_forward_is_the_articles_call(mpd: Trained) -> None:
    y, y_hat = noise(2, 300).float(), noise(3, 300)[:2].float()
    y_d_rs, y_d_gs, fmap_rs, fmap_gs = mpd.module(y, y_hat)
    for scores, fmaps, wave in ((y_d_rs, fmap_rs, y), (y_d_gs, fmap_gs, y_hat)):
        judgements = mpd.module.judge(wave)  # type: ignore[operator]
        assert len(scores) == len(fmaps) == len(judgements) == len(PERIODS)
        for score, maps, (own_score, own_maps) in zip(scores, fmaps, judgements, strict=True):
            assert torch.equal(score, own_score)
            assert len(maps) == FMAPS
            assert all(torch.equal(a, b) for a, b in zip(maps, own_maps, strict=True))
    assert not torch.equal(y_d_rs[0], y_d_gs[0])


def test_the_score_is_the_last_map_flattened(mpd: Trained) -> None:
    for period, (score, fmaps) in zip(
        PERIODS,
        mpd.module.judge(noise(2, 300).float()),  # type: ignore[operator]
        strict=True,
    ):
        assert fmaps[-1].shape[0::3] == (2, period)
        assert torch.equal(score, fmaps[-1].flatten(1))


def test_size() -> None:
    with torch.device("meta"):
        module = MultiPeriodDiscriminator(PERIODS)
    assert sum(parameter.numel() for parameter in module.parameters()) == 41_105_770
    assert len(module.state_dict()) == 90
    assert {norm_of(conv) for conv in convolutions(module).values()} == {"weight_norm"}


@pytest.mark.parametrize(
    ("samples", "lengths"),
    [
        (8192, [102, 102, 105, 105, 110]),
        (8191, [102, 102, 105, 105, 110]),
        (110250, [1362, 1362, 1365, 1365, 1364]),
    ],
)
def test_score_lengths(samples: int, lengths: list[int]) -> None:
    with torch.device("meta"):
        judgements = MultiPeriodDiscriminator(PERIODS).judge(torch.empty(1, 1, samples))
    assert [tuple(score.shape) for score, _ in judgements] == [(1, length) for length in lengths]


@pytest.mark.parametrize(("kernel_size", "stride"), [(3, 3), (5, 2), (7, 1)])
def test_kernel_and_stride_reach_the_body_and_spare_the_rest(
    kernel_size: int, stride: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch.manual_seed(0)
    module = DiscriminatorP(5, kernel_size=kernel_size, stride=stride).double()
    *body, fifth, post = golden.PERIOD_LAYERS
    layers = (
        *(layer._replace(kernel=kernel_size, stride=stride) for layer in body),
        fifth._replace(kernel=kernel_size),
        post,
    )
    monkeypatch.setattr(golden, "PERIOD_LAYERS", layers)
    y = noise(2, 203)
    with torch.no_grad():
        score, fmaps = module(y)
        expected = golden.member("mpd-5", as_numpy(module), y.numpy())
    assert_close(named(score, fmaps), expected)


def test_spectral_norm_on_request() -> None:
    torch.manual_seed(0)
    module = DiscriminatorP(3, use_spectral_norm=True).double().eval()
    assert {norm_of(conv) for conv in convolutions(module).values()} == {"spectral_norm"}
    y = noise(2, 400)
    with torch.no_grad():
        score, fmaps = module(y)
        expected = golden.member("mpd-3", as_numpy(module), y.numpy())
    assert_close(named(score, fmaps), expected)


def test_a_network_of_some_members_says_what_the_whole_one_says(mpd: Trained) -> None:
    whole = mpd.module.judge(noise(1, 200).float())  # type: ignore[operator]
    some = cast("MultiPeriodDiscriminator", NETWORKS[0].build(("11", "3")))
    for member, index in zip(some.discriminators, (4, 1), strict=True):
        member.load_state_dict(mpd.module.discriminators[index].state_dict())  # type: ignore[index,union-attr]
    for judgement, index in zip(some.judge(noise(1, 200).float()), (4, 1), strict=True):
        for tensor, expected in zip(
            named(*judgement).values(), named(*whole[index]).values(), strict=True
        ):
            assert torch.equal(tensor, expected)


def test_one_trace_serves_every_length(mpd: Trained) -> None:
    """A branch on the length cannot be traced, and a frozen length would show in the numbers."""
    discriminator = mpd.module.discriminators[4]  # type: ignore[index]
    traced = symbolic_trace(cast("nn.Module", discriminator))
    for samples in (*range(6, 18), 8192, 8250):
        y = noise(1, samples).float()
        (score, fmaps), (own_score, own_fmaps) = traced(y), discriminator(y)  # type: ignore[operator]
        assert torch.equal(score, own_score)
        assert all(torch.equal(a, b) for a, b in zip(fmaps, own_fmaps, strict=True))


def test_the_whole_network_can_be_traced(mpd: Trained) -> None:
    traced = symbolic_trace(mpd.module)
    y, y_hat = noise(1, 50).float(), noise(1, 50).float().flip(-1)
    assert torch.equal(traced(y, y_hat)[1][3], mpd.module(y, y_hat)[1][3])
