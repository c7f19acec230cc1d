"""Generators of other hyper-parameters, and decoders of one speaker of many."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from export.fold import fold
from export.interface import function_of
from export.selection import Changes, Networks
from hifigan_ref.checkpoint import read_checkpoint
from hifigan_ref.errors import HifiError
from hifigan_ref.seeded import Seeded
from hifigan_ref.source import Source
from hifigan_ref.variant import Variant

# as jik876 writes them
V1: dict[str, Any] = {
    "resblock": "1",
    "num_gpus": 0,
    "batch_size": 16,
    "learning_rate": 0.0002,
    "upsample_rates": [8, 8, 2, 2],
    "upsample_kernel_sizes": [16, 16, 4, 4],
    "upsample_initial_channel": 512,
    "resblock_kernel_sizes": [3, 7, 11],
    "resblock_dilation_sizes": [[1, 3, 5], [1, 3, 5], [1, 3, 5]],
    "segment_size": 8192,
    "num_mels": 80,
    "n_fft": 1024,
    "hop_size": 256,
    "sampling_rate": 22050,
    "fmax_for_loss": None,
    "dist_config": {"dist_backend": "nccl"},
}
SMALL = {
    **V1,
    "upsample_rates": [5, 3],
    "upsample_kernel_sizes": [11, 7],
    "upsample_initial_channel": 16,
    "resblock_kernel_sizes": [3, 5],
    "resblock_dilation_sizes": [[1, 3, 5], [1, 2, 4]],
    "num_mels": 100,
    "hop_size": 15,
    "sampling_rate": 24000,
}


def chosen(tmp_path: Path, content: Any, network: str = "generator-v1") -> Variant:
    (tmp_path / "config.json").write_text(json.dumps(content))
    found = Networks(network=[network]).select(Changes(config=tmp_path / "config.json"))
    assert len(found) == 1
    return found[0]


def refusal(tmp_path: Path, content: Any) -> str:
    with pytest.raises(HifiError) as error:
        chosen(tmp_path, content)
    assert "\n" not in str(error.value)
    return str(error.value)


def test_a_config_of_its_own_hyper_parameters_changes_nothing(tmp_path: Path) -> None:
    assert chosen(tmp_path, V1) == Variant("generator-v1")


def test_another_config_is_another_network(tmp_path: Path) -> None:
    variant = chosen(tmp_path, SMALL)
    assert Variant.parse(variant.stated) == variant
    assert str(variant).startswith("generator-v1@") and len(str(variant)) == 21
    (mel,), (audio,) = variant.signature.inputs, variant.signature.outputs
    assert mel.sized({"batch": 1, "frames": 7}) == (1, 100, 7)
    assert audio.sized({"batch": 1, "frames": 7}) == (1, 1, 105)
    assert variant.signature.axes["frames"].unit_s == 15 / 24000
    found = function_of(Seeded(0).build(variant).module, variant)(mel=torch.randn(2, 100, 7))
    assert found["audio"].shape == (2, 1, 105) and found["audio"].std() > 0.1


def test_its_checkpoint_is_read(tmp_path: Path) -> None:
    variant = chosen(tmp_path, SMALL)
    torch.manual_seed(0)
    module = variant.network.build(())
    torch.save({"generator": module.state_dict()}, tmp_path / "g_1")
    source = Source(tmp_path / "g_1")
    source.check([variant])
    found = source.build(variant).module.state_dict()
    assert all(torch.equal(found[key], each) for key, each in module.state_dict().items())
    with pytest.raises(HifiError, match=r"conv_pre\..* has shape .*expected .*generator-v1"):
        Source(tmp_path / "g_1").check([Variant("generator-v1")])


def test_a_config_that_does_not_fit_the_weights_names_the_layer(tmp_path: Path) -> None:
    module = chosen(tmp_path, SMALL).network.build(())
    torch.save({"generator": module.state_dict()}, tmp_path / "g_1")
    other = chosen(tmp_path, {**SMALL, "upsample_kernel_sizes": [11, 9]})
    with pytest.raises(HifiError, match=r"ups\.1\.\S+ has shape \(8, 4, 7\), expected \(8, 4, 9\)"):
        Source(tmp_path / "g_1").check([other])


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"upsample_rate": [8]}, "no hyper-parameter 'upsample_rate': did you mean"),
        ({"upsample_kernel_sizes": [12, 7]}, "ups.0 has 12 taps at a rate of 5"),
        ({"upsample_kernel_sizes": [11]}, "2 upsample_rates and 1 upsample_kernel_sizes"),
        ({"resblock": "3"}, "resblock is 3: choose 1 or 2"),
        ({"resblock_dilation_sizes": [[1], [1]]}, "resblock 1 has 3 dilations in each block"),
        ({"resblock_kernel_sizes": [3, 4]}, "has 4, which shortens its input"),
        ({"hop_size": 256}, "hop_size is 256, the product of upsample_rates is 15"),
        ({"upsample_initial_channel": 18}, "choose a multiple of 4"),
        ({"upsample_rates": "8"}, "give a list of whole numbers"),
        ({"num_mels": 1.5}, "num_mels is 1.5: give a whole number"),
    ],
)
def test_a_config_that_cannot_be_is_refused(
    change: dict[str, Any], said: str, tmp_path: Path
) -> None:
    assert said in refusal(tmp_path, {**SMALL, **change})


def test_what_is_no_config_is_refused(tmp_path: Path) -> None:
    assert "holds no object" in refusal(tmp_path, [1])
    with pytest.raises(HifiError, match="cannot be read"):
        Networks(network=["generator-v1"]).select(Changes(config=tmp_path / "none.json"))
    with pytest.raises(HifiError, match="name it with --network"):
        Networks().select(Changes(speaker=3))
    with pytest.raises(HifiError, match="mpd has no hyper-parameters"):
        Networks(network=["mpd"]).select(Changes(speaker=3))


MANY = Variant("piper-decoder-speakers")


@pytest.fixture(scope="module")
def speakers(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint of three speakers."""
    path = tmp_path_factory.mktemp("speakers") / "last.ckpt"
    module = Seeded(0).build(MANY).module
    state = {f"model_g.dec.{key}": tensor for key, tensor in module.state_dict().items()}
    state["model_g.emb_g.weight"] = torch.randn(3, 512, generator=torch.manual_seed(1))
    torch.save({"state_dict": state}, path)
    return path


def spoken(path: Path, variant: Variant, inputs: dict[str, Tensor]) -> Tensor:
    module = Source(path).build(variant).module
    fold(module)
    found: Tensor = function_of(module.double(), variant)(**inputs)["audio"]
    return found


def test_a_speaker_is_folded_into_the_first_bias(speakers: Path) -> None:
    z = torch.randn(2, 192, 5, generator=torch.manual_seed(2)).double()
    (variant,) = Networks(network=[str(MANY)]).select(Changes(speaker=1))
    assert [port.name for port in variant.signature.inputs] == ["z"]
    vectors = read_checkpoint(speakers).speakers[str(MANY)]
    assert vectors is not None
    exact, other = (
        spoken(speakers, MANY, {"z": z, "g": vectors[n].double().expand(2, -1)[..., None]})
        for n in (1, 2)
    )
    found = spoken(speakers, variant, {"z": z})
    assert db(exact, found) > 130  # the bias is rounded to float32
    assert db(other, found) < 20  # a wrong speaker is heard


def db(expected: Tensor, found: Tensor) -> float:
    ratio = expected.square().sum() / (expected - found).square().sum()
    return float(10 * torch.log10(ratio))


def test_a_speaker_that_there_is_not_is_refused(speakers: Path) -> None:
    many = Networks(network=[str(MANY)]).select(Changes(speaker=3))
    with pytest.raises(HifiError, match="has no speaker 3: choose 0 to 2"):
        Source(speakers).build(many[0])
    with pytest.raises(HifiError, match="piper-decoder has no speakers"):
        Networks(network=["piper-decoder"]).select(Changes(speaker=0))
    with pytest.raises(HifiError, match="add --checkpoint"):
        Source().build(many[0])
