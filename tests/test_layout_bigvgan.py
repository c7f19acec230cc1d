"""BigVGAN's discriminators' file: its mpd is read, its mrd is named."""

from pathlib import Path

import torch

from export.describe import describe_checkpoint
from hifigan_ref.checkpoint import read_checkpoint
from hifigan_ref.variant import Variant


def test_the_multi_period_discriminator_is_read_and_the_other_one_named(tmp_path: Path) -> None:
    torch.manual_seed(0)
    variant = Variant("mpd")
    module = variant.network.build(variant.members())
    other = {"discriminators.0.convs.0.weight_v": torch.zeros(3)}
    path = tmp_path / "bigvgan_discriminator_optimizer.pt"
    torch.save({"mpd": module.state_dict(), "mrd": other, "steps": 9, "epoch": 1}, path)
    found = read_checkpoint(path)
    assert (list(found.families), found.layout, found.steps) == (["mpd"], "bigvgan", 9)
    (note,) = found.notes
    assert note.startswith("mrd: BigVGAN's other discriminator")
    assert describe_checkpoint(path).layout == "bigvgan"
    built = found.build(Variant("mpd", "3")).module.state_dict()
    for key, tensor in built.items():
        assert torch.equal(tensor, module.state_dict()[key.replace(".0.", ".1.", 1)])
