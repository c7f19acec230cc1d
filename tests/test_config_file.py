"""Configuration files of VITS and transformers: their keys are read by what they mean there."""

import json
from pathlib import Path
from typing import Any

import pytest

from export.selection import Changes, Networks
from hifigan_ref.errors import HifiError
from hifigan_ref.variant import Variant

# the parts of jaywalnut310's vctk_base.json that say what the model is
MODEL: dict[str, Any] = {
    "inter_channels": 192,
    "hidden_channels": 192,
    "filter_channels": 768,
    "n_heads": 2,
    "n_layers": 6,
    "kernel_size": 3,
    "p_dropout": 0.1,
    "resblock": "1",
    "resblock_kernel_sizes": [3, 7, 11],
    "resblock_dilation_sizes": [[1, 3, 5], [1, 3, 5], [1, 3, 5]],
    "upsample_rates": [8, 8, 2, 2],
    "upsample_initial_channel": 512,
    "upsample_kernel_sizes": [16, 16, 4, 4],
    "n_layers_q": 3,
    "use_spectral_norm": False,
    "gin_channels": 256,
}
VITS: dict[str, Any] = {
    "train": {"learning_rate": 2e-4, "segment_size": 8192},
    "data": {"sampling_rate": 22050, "hop_length": 256, "n_mel_channels": 80, "n_speakers": 109},
    "model": MODEL,
}


def chosen(tmp_path: Path, content: Any, network: str) -> Variant:
    (tmp_path / "config.json").write_text(json.dumps(content))
    changes = Changes(config=tmp_path / "config.json")
    (found,) = Networks(network=[network]).select(changes)
    return found


def vits(model: dict[str, Any], **data: Any) -> dict[str, Any]:
    return {**VITS, "model": {**MODEL, **model}, "data": {**VITS["data"], **data}}


def test_of_the_published_files_nothing_differs(tmp_path: Path) -> None:
    many = chosen(tmp_path, VITS, "vits-decoder-speakers")
    assert many == Variant("vits-decoder-speakers")
    one = {**VITS, "model": {k: v for k, v in MODEL.items() if k != "gin_channels"}}
    assert chosen(tmp_path, one, "vits-decoder") == Variant("vits-decoder")


def test_what_differs_is_of_the_decoder(tmp_path: Path) -> None:
    content = vits(
        {"inter_channels": 96, "gin_channels": 64, "upsample_rates": [8, 8, 4, 2],
         "upsample_kernel_sizes": [16, 16, 8, 4]},
        sampling_rate=44100, hop_length=512,
    )  # fmt: skip
    variant = chosen(tmp_path, content, "vits-decoder")
    sizes = {"batch": 1, "frames": 3}
    assert {port.name: port.sized(sizes) for port in variant.signature.inputs} == {
        "z": (1, 96, 3),
        "g": (1, 64, 1),
    }
    (audio,) = variant.signature.outputs
    assert audio.sized(sizes) == (1, 1, 3 * 512)
    assert variant.signature.axes["frames"].unit_s == 512 / 44100


def speecht5(**changes: Any) -> dict[str, Any]:
    from transformers import SpeechT5HifiGanConfig

    found: dict[str, Any] = SpeechT5HifiGanConfig(**changes).to_dict()
    return found


def test_transformers_own_defaults_are_its_network(tmp_path: Path) -> None:
    assert chosen(tmp_path, speecht5(), "speecht5-hifigan") == Variant("speecht5-hifigan")
    other = speecht5(model_in_dim=100, upsample_initial_channel=256, sampling_rate=24000)
    variant = chosen(tmp_path, other, "speecht5-hifigan")
    (mel,) = variant.signature.inputs
    assert mel.sized({"batch": 1, "frames": 3}) == (1, 100, 3)
    assert "upsample_initial_channel=256" in variant.stated
    assert variant.signature.axes["frames"].unit_s == 256 / 24000


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (vits({"inter_chanels": 9}), "model: there is no hyper-parameter 'inter_chanels': did you"),
        (vits({"num_mels": 80}), "model: there is no hyper-parameter 'num_mels'"),
        (vits({"inter_channels": "a"}), 'model: inter_channels is "a": give a whole number'),
        (vits({}, hop_length=300), "hop_length is 300, the product of upsample_rates is 256"),
        (vits({}, sampling_rate=1.5), "data: sampling_rate is 1.5: give a whole number"),
        (speecht5(snake=1), "there is no hyper-parameter 'snake': choose from"),
        (speecht5(leaky_relu_slope=0.2), "leaky_relu_slope is 0.2, these networks are of 0.1"),
        (speecht5(normalize_before=False), "normalize_before is false, these networks are of true"),
    ],
)
def test_what_is_not_known_is_told_with_its_key(content: Any, said: str, tmp_path: Path) -> None:
    with pytest.raises(HifiError) as refused:
        chosen(tmp_path, content, "vits-decoder")
    told = str(refused.value)
    assert said in told and "config.json" in told and "\n" not in told
