"""The generators against their layer tables and against independent implementations."""

import copy
from functools import cache

import numpy as np
import pytest
import torch
from torch import Tensor

import golden_generator as golden
from export.fold import fold
from export.interface import function_of
from hifigan_ref import audio
from hifigan_ref.examples import example
from hifigan_ref.seeded import Seeded
from hifigan_ref.trained import Trained
from hifigan_ref.variant import Variant

NAMES = list(golden.TABLES)
EQUAL_DB = 250
WRONG_DB = 60


@cache
def trained(name: str) -> Trained:
    return Seeded(0).build(Variant(name))


def given(name: str, frames: int, batch: int = 2) -> dict[str, Tensor]:
    inputs = example(
        Variant(name).signature.inputs, {"batch": batch, "frames": frames}, audio.clip()
    )
    return {key: torch.from_numpy(array).double() for key, array in inputs.items()}


def ours(name: str, inputs: dict[str, Tensor]) -> Tensor:
    module = trained(name).module.double()
    found: Tensor = function_of(module, Variant(name))(**inputs)["audio"]
    module.float()
    return found


def by_table(name: str, inputs: dict[str, Tensor], table: golden.Table) -> Tensor:
    state = {key: tensor.numpy() for key, tensor in trained(name).module.state_dict().items()}
    return golden.generator(state, table, *inputs.values())


def snr_db(expected: Tensor, found: Tensor) -> float:
    assert expected.shape == found.shape
    error = (expected - found).square().sum().item()
    return float(10 * np.log10(expected.square().sum().item() / max(error, 1e-300)))


@pytest.mark.parametrize("name", NAMES)
def test_it_agrees_with_its_table(name: str) -> None:
    for frames in (1, 4):
        inputs = given(name, frames)
        found = ours(name, inputs)
        assert found.shape == (2, 1, 256 * frames)
        assert snr_db(by_table(name, inputs, golden.TABLES[name]), found) > EQUAL_DB


WRONG = [(n, what) for n in ("generator-v2", "piper-decoder") for what in golden.WRONG]


@pytest.mark.parametrize(("name", "what"), WRONG)
def test_a_wrong_table_is_seen(name: str, what: str) -> None:
    inputs = given(name, 4)
    table = golden.WRONG[what](golden.TABLES[name])
    assert snr_db(by_table(name, inputs, table), ours(name, inputs)) < WRONG_DB


@pytest.mark.parametrize("name", NAMES)
def test_seeded_audio_is_neither_silent_nor_saturated(name: str) -> None:
    found = ours(name, given(name, 8, 1))
    assert 0.1 < found.square().mean().sqrt() < 0.5
    assert found.abs().max() < 0.99


def test_a_speaker_is_heard() -> None:
    name = "piper-decoder-speakers"
    inputs = given(name, 3)
    other = {**inputs, "g": inputs["g"].flip(0)}
    assert snr_db(ours(name, inputs), ours(name, other)) < 20


OTHERS = ["generator-v1", "speecht5-hifigan", "vits-decoder-speakers"]


@pytest.mark.parametrize("name", OTHERS)
def test_it_agrees_with_transformers(name: str) -> None:
    """Whose classes were written by others, from the same article."""
    inputs = given(name, 3)
    module = copy.deepcopy(trained(name).module)
    fold(module)
    state = {k.replace("ups.", "upsampler."): v for k, v in module.state_dict().items()}
    standardized = "mean" in state
    other = vits_hifigan() if name.startswith("vits") else speecht5_hifigan(standardized)
    missing, extra = other.load_state_dict(state, strict=False)
    assert not extra and set(missing) <= (set() if standardized else {"mean", "scale"})
    other.double().eval()
    if name.startswith("vits"):
        found = other(inputs["z"], inputs["g"])
    else:
        found = other(inputs["mel"].transpose(1, 2)).unsqueeze(1)
    module.double()
    exact = function_of(module, Variant(name))(**inputs)["audio"]
    assert snr_db(exact, found.detach()) > EQUAL_DB


def speecht5_hifigan(standardized: bool) -> torch.nn.Module:
    """As it is by default, which standardizes its input; else in the shape of V1."""
    from transformers import SpeechT5HifiGan, SpeechT5HifiGanConfig

    v1 = SpeechT5HifiGanConfig(
        upsample_rates=[8, 8, 2, 2], upsample_kernel_sizes=[16, 16, 4, 4], normalize_before=False
    )
    return SpeechT5HifiGan(SpeechT5HifiGanConfig() if standardized else v1)


def vits_hifigan() -> torch.nn.Module:
    """With speakers."""
    from transformers import VitsConfig
    from transformers.models.vits.modeling_vits import VitsHifiGan

    return VitsHifiGan(VitsConfig(speaker_embedding_size=256))
