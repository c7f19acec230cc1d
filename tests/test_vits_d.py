"""The discriminator of VITS against its layer table, and out of its training code's files."""

from pathlib import Path

import numpy as np
import pytest
import torch

import golden
from fakes import old_names
from golden import Layer
from hifigan_ref import audio
from hifigan_ref.checkpoint import read_checkpoint
from hifigan_ref.errors import HifiError
from hifigan_ref.networks.vits_d import SCALE
from hifigan_ref.seeded import Seeded
from hifigan_ref.trained import Trained
from hifigan_ref.variant import Variant

WHOLE = Variant("vits-d")
LAYERS = (
    Layer(1, 16, 15, 1, 7, 1),
    Layer(16, 64, 41, 4, 20, 4),
    Layer(64, 256, 41, 4, 20, 16),
    Layer(256, 1024, 41, 4, 20, 64),
    Layer(1024, 1024, 41, 4, 20, 256),
    Layer(1024, 1024, 5, 1, 2, 1),
    Layer(1024, 1, 3, 1, 1, 1),
)


@pytest.fixture(scope="module")
def trained() -> Trained:
    return Seeded(0).build(WHOLE)


@pytest.mark.parametrize("samples", [301, 308])
def test_every_member_agrees_with_the_golden(trained: Trained, samples: int) -> None:
    wave = audio.clip().loudest_first().batch(2, samples).astype(np.float64)
    module = trained.module
    judged = module.double().judge(torch.from_numpy(wave))  # type: ignore[operator]
    for part, place in WHOLE.network.scopes(WHOLE.members()).items():
        state = {k: v.numpy() for k, v in module.get_submodule(place).state_dict().items()}
        score, maps = (
            golden.discriminator_s(state, wave, LAYERS)
            if part == SCALE
            else golden.discriminator_p(state, int(part), wave)
        )
        found = judged[list(WHOLE.members()).index(part)]
        for expected, tensor in zip((score, *maps), (found[0], *found[1]), strict=True):
            error = np.square(expected - tensor.numpy()).sum() / np.square(expected).sum()
            assert error < 1e-20, part
    module.float()


def test_a_checkpoint_of_its_training_code_is_read(trained: Trained, tmp_path: Path) -> None:
    path = tmp_path / "D_0.pth"
    state = old_names(trained.module.state_dict())
    torch.save({"model": state, "iteration": 7, "optimizer": {}, "learning_rate": 1.0}, path)
    found = read_checkpoint(path)
    assert (list(found.families), found.layout, found.steps) == (["vits-d"], "vits", 7)
    assert found.build(WHOLE).digest == trained.digest
    part = Variant("vits-d", "7")
    expected = trained.module.get_submodule("discriminators.4").state_dict()
    for key, tensor in (
        found.build(part).module.get_submodule("discriminators.0").state_dict().items()
    ):
        assert torch.equal(tensor, expected[key])


def test_a_checkpoint_of_other_members_is_told(trained: Trained, tmp_path: Path) -> None:
    path = tmp_path / "D_1.pth"
    state = old_names(trained.module.state_dict())
    state = {key: each for key, each in state.items() if not key.startswith("discriminators.5.")}
    torch.save({"model": state}, path)
    with pytest.raises(HifiError, match=r"missing discriminators\.5.*layout of jaywalnut310/vits"):
        read_checkpoint(path)
