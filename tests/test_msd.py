"""The multi-scale discriminator against the numpy golden, in float64, and its own promises."""

import copy
from typing import cast

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.fx import symbolic_trace

import golden
from hifigan_ref.msd import DiscriminatorS, MultiScaleDiscriminator
from hifigan_ref.networks.msd import NETWORKS, SCALES
from hifigan_ref.norms import norm_of, set_norm
from hifigan_ref.trained import Trained, convolutions

TOLERANCE = 1e-10  # of the largest value of an output
FMAPS = 8

Outputs = dict[str, NDArray[np.float64]]


@pytest.fixture(scope="module")
def double(msd: Trained) -> MultiScaleDiscriminator:
    """Norms taken off, in float64, to be quick at many lengths."""
    module = MultiScaleDiscriminator(SCALES)  # not a deep copy: norms come off its class
    module.load_state_dict(msd.module.state_dict())
    module.double().eval()
    for conv in convolutions(module).values():
        set_norm(conv, "none")
    return module.requires_grad_(requires_grad=False)


@pytest.fixture(scope="module")
def state(msd: Trained) -> Outputs:
    """All weights, their norms folded by the golden."""
    return golden.fold(as_numpy(msd.module))


def as_numpy(module: nn.Module) -> dict[str, NDArray[np.float32]]:
    return {key: tensor.numpy() for key, tensor in module.state_dict().items()}


def noise(batch: int, samples: int) -> Tensor:
    """A waveform (N, 1, T) in float64, as loud as speech."""
    generator = torch.Generator().manual_seed(1000 * batch + samples)
    return 0.1 * torch.randn(batch, 1, samples, generator=generator, dtype=torch.float64)


def named(score: Tensor, fmaps: list[Tensor], prefix: str = "") -> dict[str, Tensor]:
    return {f"{prefix}score": score} | {f"{prefix}fmap_{j}": x for j, x in enumerate(fmaps)}


def judged(module: MultiScaleDiscriminator, y: Tensor) -> dict[str, Tensor]:
    outputs: dict[str, Tensor] = {}
    for scale, (score, fmaps) in zip(SCALES, module.judge(y), strict=True):
        outputs |= named(score, fmaps, f"msd_{scale}_")
    return outputs


def assert_close(outputs: dict[str, Tensor], expected: Outputs) -> None:
    assert list(outputs) == list(expected)
    for name, tensor in outputs.items():
        assert tensor.shape == expected[name].shape, name
        error = np.abs(tensor.detach().numpy() - expected[name]).max()
        assert error <= TOLERANCE * np.abs(expected[name]).max(), name


# From the smallest legal length up, every residue of the strides (2 and 2 in the pools, 2, 2, 4
# and 4 in the stack) and of the periods beside it; 8191 is where the pools round.
@pytest.mark.parametrize(
    ("batch", "samples"),
    [
        *((1, samples) for samples in (1, 2, 3, *range(6, 17))),
        (2, 1),
        (5, 13),
        (2, 640),
        (1, 8191),
    ],
)
def test_every_member_agrees_with_the_golden(
    double: MultiScaleDiscriminator, state: Outputs, batch: int, samples: int
) -> None:
    y = noise(batch, samples)
    assert_close(judged(double, y), golden.msd(state, y.numpy()))


def test_norms_in_place_agree_with_the_golden_that_folds_them(
    msd: Trained,
) -> None:
    y = noise(1, 100)
    double = cast("MultiScaleDiscriminator", copy.deepcopy(msd.module).double())
    assert_close(judged(double, y), golden.msd(as_numpy(msd.module), y.numpy()))


def test_an_empty_waveform_is_refused(msd: Trained) -> None:
    with pytest.raises(RuntimeError):
        msd.module.judge(torch.empty(1, 1, 0))  # type: ignore[operator]


def test_forward_is_the_articles_call(msd: Trained) -> None:
    y, y_hat = noise(2, 300).float(), noise(3, 300)[:2].float()
    y_d_rs, y_d_gs, fmap_rs, fmap_gs = msd.module(y, y_hat)
    for scores, fmaps, wave in ((y_d_rs, fmap_rs, y), (y_d_gs, fmap_gs, y_hat)):
        judgements = msd.module.judge(wave)  # type: ignore[operator]
        assert len(scores) == len(fmaps) == len(judgements) == len(SCALES)
        for score, maps, (own_score, own_maps) in zip(scores, fmaps, judgements, strict=True):
            assert torch.equal(score, own_score)
            assert torch.equal(score, maps[-1].flatten(1))
            assert len(maps) == FMAPS
            assert all(torch.equal(a, b) for a, b in zip(maps, own_maps, strict=True))
    assert not torch.equal(y_d_rs[0], y_d_gs[0])


def test_size() -> None:
    with torch.device("meta"):
        module = MultiScaleDiscriminator(SCALES)
    assert sum(parameter.numel() for parameter in module.parameters()) == 29_618_821
    assert len(module.state_dict()) == 80


def test_only_the_first_scale_has_spectral_norm() -> None:
    with torch.device("meta"):
        module = MultiScaleDiscriminator(SCALES)
    norms = [
        {norm_of(conv) for conv in convolutions(member).values()}
        for member in module.discriminators
    ]
    assert norms == [{"spectral_norm"}, {"weight_norm"}, {"weight_norm"}]


@pytest.mark.parametrize(
    ("samples", "lengths"),
    [(8192, [128, 65, 33]), (8191, [128, 64, 33]), (110250, [1723, 862, 431])],
)
def test_score_lengths(samples: int, lengths: list[int]) -> None:
    with torch.device("meta"):
        judgements = MultiScaleDiscriminator(SCALES).judge(torch.empty(1, 1, samples))
    assert [tuple(score.shape) for score, _ in judgements] == [(1, length) for length in lengths]


@pytest.mark.parametrize(
    ("use_spectral_norm", "norm"), [(True, "spectral_norm"), (False, "weight_norm")]
)
def test_one_alone_with_either_norm(use_spectral_norm: bool, norm: str) -> None:
    torch.manual_seed(0)
    module = DiscriminatorS(use_spectral_norm=use_spectral_norm).double().eval()
    assert {norm_of(conv) for conv in convolutions(module).values()} == {norm}
    y = noise(2, 400)
    with torch.no_grad():
        score, fmaps = module(y)
        expected = golden.member("msd-0", as_numpy(module), y.numpy())
    assert_close(named(score, fmaps), expected)


@pytest.mark.parametrize("scales", [(1,), (0, 2)], ids=str)
def test_a_network_of_some_members_says_what_the_whole_one_says(
    msd: Trained, scales: tuple[int, ...]
) -> None:
    whole = msd.module.judge(noise(1, 301).float())  # type: ignore[operator]
    some = cast(
        "MultiScaleDiscriminator", NETWORKS[0].build([str(scale) for scale in scales])
    ).eval()
    for member, scale in zip(some.discriminators, scales, strict=True):
        member.load_state_dict(msd.module.discriminators[scale].state_dict())  # type: ignore[index,union-attr]
    for judgement, scale in zip(some.judge(noise(1, 301).float()), scales, strict=True):
        for tensor, expected in zip(
            named(*judgement).values(), named(*whole[scale]).values(), strict=True
        ):
            assert torch.equal(tensor, expected)


def test_one_trace_serves_every_length(msd: Trained) -> None:
    """A branch on the length cannot be traced, and a frozen length would show in the numbers."""
    traced = symbolic_trace(msd.module)
    for samples in (1, 2, 7, 300, 301):
        y, y_hat = noise(1, samples).float(), noise(2, samples)[:1].float()
        found, expected = traced(y, y_hat), msd.module(y, y_hat)
        for scale in SCALES:
            assert torch.equal(found[0][scale], expected[0][scale])
            assert torch.equal(found[1][scale], expected[1][scale])
            assert torch.equal(found[2][scale][-2], expected[2][scale][-2])
