"""The discriminators of RVC against the layer table, and out of its training code's files."""

from pathlib import Path

import numpy as np
import pytest
import torch

import golden
from hifigan_ref import audio
from hifigan_ref.checkpoint import read_checkpoint
from hifigan_ref.seeded import Seeded
from hifigan_ref.variant import Variant

MEMBERS = {
    "rvc-v1-d": ("s", "2", "3", "5", "7", "11", "17"),
    "rvc-v2-d": ("s", "2", "3", "5", "7", "11", "17", "23", "37"),
}


@pytest.mark.parametrize("name", MEMBERS)
def test_its_members_are_those_of_the_training_code(name: str) -> None:
    assert Variant(name).members() == MEMBERS[name]
    assert Variant.parse(f"{name}-17") == Variant(name, "17")


@pytest.mark.parametrize("period", [17, 23, 37])
@pytest.mark.parametrize("more", [0, 1])
def test_a_long_period_agrees_with_the_golden(period: int, more: int) -> None:
    trained = Seeded(0).build(Variant("rvc-v2-d", str(period)))
    wave = audio.clip().loudest_first().batch(1, 9 * period + more).astype(np.float64)
    one = trained.module.double().get_submodule("discriminators.0")
    state = {key: tensor.numpy() for key, tensor in one.state_dict().items()}
    score, maps = golden.discriminator_p(state, period, wave)
    found = one(torch.from_numpy(wave))
    for expected, tensor in zip((score, *maps), (found[0], *found[1]), strict=True):
        error = np.square(expected - tensor.numpy()).sum() / np.square(expected).sum()
        assert error < 1e-20


@pytest.mark.parametrize("name", ["rvc-v1-d", "rvc-v2-d", "vits-d"])
def test_the_members_of_a_file_decide_which_network_it_is(name: str, tmp_path: Path) -> None:
    variant = Variant(name)
    torch.manual_seed(0)
    module = variant.network.build(variant.members()).half()
    torch.save({"model": module.state_dict(), "iteration": 3}, tmp_path / "D.pth")
    found = read_checkpoint(tmp_path / "D.pth")
    assert list(found.families) == [name] and found.steps == 3
    part = found.build(Variant(name, "11")).module
    weight = "discriminators.0.convs.1.parametrizations.weight.original1"
    whole = module.float().state_dict()[weight.replace(".0.", ".5.", 1)]
    assert torch.equal(part.state_dict()[weight], whole)
