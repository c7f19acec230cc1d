"""Seeded weights: alive in every layer, converged, and the same bits for the same seed."""

import copy
from collections.abc import Iterator
from itertools import combinations

import numpy as np
import pytest
import torch
from torch import Tensor

from hifigan_ref import audio
from hifigan_ref.ensemble import TYPICAL_SAMPLES
from hifigan_ref.judgement import Judgement
from hifigan_ref.mpd import DiscriminatorP
from hifigan_ref.norms import norm_of
from hifigan_ref.rate import CLIP_RATE
from hifigan_ref.seeded import Seeded
from hifigan_ref.trained import Conv, Trained, convolutions, state_digest
from hifigan_ref.variant import Variant

MPD_FMAPS, MSD_FMAPS = 6, 8


@pytest.fixture
def one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def speech() -> Tensor:
    return torch.from_numpy(audio.clip().batch(1, TYPICAL_SAMPLES))  # (1, 1, T)


@pytest.fixture(scope="module")
def periods(mpd: Trained, speech: Tensor) -> list[Judgement]:
    return judge(mpd, speech)


@pytest.fixture(scope="module")
def scales(msd: Trained, speech: Tensor) -> list[Judgement]:
    return judge(msd, speech)


def judge(trained: Trained, y: Tensor) -> list[Judgement]:
    judgements: list[Judgement] = trained.module.judge(y)  # type: ignore[operator]
    return judgements


def member(trained: Trained, index: int) -> torch.nn.Module:
    found = trained.module.discriminators[index]  # type: ignore[index]
    assert isinstance(found, torch.nn.Module)
    return found


def rms(x: Tensor) -> float:
    return x.double().square().mean().sqrt().item()


def ripple(x: Tensor) -> float:
    """The share of a feature map (N, C, L...) that moves along time."""
    return rms(x - x.mean(2, keepdim=True)) / rms(x)


def converted(conv: Conv) -> list[Tensor]:
    return [tensor.double() for name, tensor in conv.state_dict().items() if name != "bias"]


def test_every_layer_under_weight_norm_is_alive(
    periods: list[Judgement], scales: list[Judgement]
) -> None:
    for judgements, count in ((periods, MPD_FMAPS), (scales[1:], MSD_FMAPS)):
        for score, fmaps in judgements:
            assert len(fmaps) == count
            assert all(0.5 < rms(x) < 2 for x in (score, *fmaps))


def test_every_layer_under_spectral_norm_is_alive(scales: list[Judgement]) -> None:
    score, fmaps = scales[0]
    assert len(fmaps) == MSD_FMAPS
    assert all(rms(x) > 0.01 for x in fmaps)
    assert all(0.5 < rms(x) < 2 for x in (*fmaps[-3:], score))


def test_every_output_is_about_the_signal(
    mpd: Trained, msd: Trained, periods: list[Judgement], scales: list[Judgement]
) -> None:
    """Not about the biases: it moves along time, and silence sounds different."""
    for trained, judgements in ((mpd, periods), (msd, scales)):
        silence = judge(trained, torch.zeros(1, 1, TYPICAL_SAMPLES))
        for (_, fmaps), (_, silent) in zip(judgements, silence, strict=True):
            assert all(ripple(x) > 0.4 for x in fmaps)
            assert all(rms(x - z) > 0.4 * rms(x) for x, z in zip(fmaps, silent, strict=True))


def test_default_initialisation_would_fail_these_checks(speech: Tensor) -> None:
    """Why seeded weights exist, and that the checks above can fail."""
    torch.manual_seed(0)
    plain = DiscriminatorP(11).requires_grad_(False)
    score, silent = plain(speech)[0], plain(torch.zeros_like(speech))[0]
    assert rms(score) < 0.5
    assert rms(score - silent) < 0.4 * rms(score)


@pytest.mark.parametrize("layer", [*(f"convs.{j}" for j in range(7)), "conv_post"])
def test_spectral_norms_have_converged(msd: Trained, layer: str) -> None:
    conv = convolutions(member(msd, 0))[layer]
    assert norm_of(conv) == "spectral_norm"
    state = {name: tensor.double() for name, tensor in conv.state_dict().items()}
    matrix = state["parametrizations.weight.original"].flatten(1)
    u, v = state["parametrizations.weight.0._u"], state["parametrizations.weight.0._v"]
    sigma = (u @ matrix @ v).item()
    if max(matrix.shape) < 2000:
        largest = torch.linalg.svdvals(matrix)[0].item()
    else:  # the same number, sooner
        largest = torch.linalg.eigvalsh(matrix @ matrix.T)[-1].sqrt().item()
    assert sigma == pytest.approx(largest, rel=1e-3)
    assert u.norm().item() == pytest.approx(1, rel=1e-5)
    assert v.norm().item() == pytest.approx(1, rel=1e-5)


def test_a_reader_that_ignores_sigma_is_caught(msd: Trained) -> None:
    for conv in convolutions(member(msd, 0)).values():
        raw = conv.state_dict()["parametrizations.weight.original"]
        assert rms(raw) > 2 * rms(conv.weight)


def test_a_reader_that_ignores_g_is_caught(mpd: Trained, msd: Trained) -> None:
    """The length of v says nothing about g, not even up to a factor."""
    members = [member(mpd, i) for i in range(5)] + [member(msd, 1), member(msd, 2)]
    for discriminator in members:
        ratios = []
        for conv in convolutions(discriminator).values():
            g, v = converted(conv)
            ratios.append((g.flatten() / v.flatten(1).norm(dim=1)).log())
        assert all(ratio.std() > 0.3 for ratio in ratios if len(ratio) > 1)
        assert all(ratio.abs().max() > 1e-3 for ratio in ratios)


def test_a_record_is_frozen_float32_in_eval_mode(mpd: Trained, msd: Trained) -> None:
    for trained in (mpd, msd):
        assert not any(module.training for module in trained.module.modules())
        assert not any(parameter.requires_grad for parameter in trained.module.parameters())
        assert {x.dtype for x in trained.module.state_dict().values()} == {torch.float32}
        assert trained.origin == "seed 0"
        assert trained.digest == state_digest(trained.module)


def test_nothing_is_left_behind_in_the_layers(mpd: Trained, msd: Trained) -> None:
    for trained in (mpd, msd):
        assert not any(conv._forward_pre_hooks for conv in convolutions(trained.module).values())


@pytest.fixture
def another_rounding(monkeypatch: pytest.MonkeyPatch) -> None:
    """The clip, off by about what another machine's sums are off by."""
    samples = audio.clip().samples.astype(np.float64)
    samples *= 1 + 1e-12 * np.random.default_rng(0).standard_normal(samples.size)
    recording = audio.Recording(samples, CLIP_RATE, "clip")  # type: ignore[arg-type]
    monkeypatch.setattr(audio, "clip", lambda: recording)


@pytest.mark.parametrize("name", ["mpd-11", "msd-0"])
def test_the_same_seed_gives_the_same_bits_on_other_machines(
    name: str, mpd_11: Trained, msd_0: Trained, request: pytest.FixtureRequest
) -> None:
    """Summed by another number of threads, in another order."""
    expected = {"mpd-11": mpd_11, "msd-0": msd_0}[name]
    for otherwise in ("one_thread", "another_rounding"):  # only now: the fixtures above are built
        request.getfixturevalue(otherwise)
    torch.manual_seed(123)  # the global generator has no say
    trained = Seeded(0).build(Variant.parse(name))
    assert trained.digest == expected.digest
    assert str(trained.variant) == name


def test_another_seed_gives_other_weights(mpd_11: Trained) -> None:
    other = Seeded(1).build(Variant("mpd", "11"))
    assert other.origin == "seed 1"
    assert other.digest != mpd_11.digest
    mine, others = mpd_11.module.state_dict(), other.module.state_dict()
    assert all(not torch.equal(mine[key], others[key]) for key in mine)


def test_members_do_not_share_their_weights(mpd: Trained, msd: Trained) -> None:
    """Their networks have the same shapes, so a swapped pair would go unseen."""
    for trained, count in ((mpd, 5), (msd, 3)):
        layers = [convolutions(member(trained, i))["convs.1"] for i in range(count)]
        biases = [layer.state_dict()["bias"] for layer in layers]
        assert not any(torch.equal(a, b) for a, b in combinations(biases, 2))


@pytest.mark.parametrize(
    ("alone", "ensemble", "index"), [("mpd_11", "mpd", 4), ("msd_0", "msd", 0)]
)
def test_a_member_alone_is_the_member_of_the_ensemble(
    alone: str, ensemble: str, index: int, request: pytest.FixtureRequest
) -> None:
    one = member(request.getfixturevalue(alone), 0)
    same = member(request.getfixturevalue(ensemble), index)
    assert state_digest(one) == state_digest(same)


def test_the_digest_sees_one_bit_one_name_and_one_type(mpd_11: Trained) -> None:
    conv = copy.deepcopy(convolutions(mpd_11.module)["discriminators.0.convs.0"])
    before = state_digest(conv)
    assert state_digest(copy.deepcopy(conv)) == before
    assert state_digest(torch.nn.Sequential(conv)) != before
    assert state_digest(copy.deepcopy(conv).half()) != before
    assert conv.bias is not None
    conv.bias.view(torch.int32)[3] ^= 1
    assert state_digest(conv) != before
