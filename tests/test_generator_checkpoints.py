"""Generators out of the files of the projects that train them, in every spelling of their norms."""

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from export.describe import describe_checkpoint
from export.fold import fold
from hifigan_ref.checkpoint import read_checkpoint
from hifigan_ref.errors import HifiError
from hifigan_ref.source import Source
from hifigan_ref.trained import state_digest
from hifigan_ref.variant import Variant

State = dict[str, Tensor]
OLD = {"parametrizations.weight.original0": "weight_g"}
OLD |= {"parametrizations.weight.original1": "weight_v"}


@cache
def state(name: str, folded: bool = False) -> State:
    torch.manual_seed(0)
    module = Variant(name).network.build(())
    if folded:
        fold(module)
    return module.state_dict()


def old(held: State) -> State:
    found = dict(held)
    for new, short in OLD.items():
        found = {key.replace(new, short): tensor for key, tensor in found.items()}
    return found


def inside(prefix: str, held: State) -> State:
    return {f"{prefix}{key}": tensor for key, tensor in held.items()}


OTHERS = {"enc_p.emb.weight": torch.ones(3, 2), "emb_g.weight": torch.ones(4, 2)}


def jik876(held: State) -> Any:
    return {"generator": held}


def vits(held: State) -> Any:
    model = inside("dec.", held) | OTHERS
    return {"model": model, "iteration": 5, "optimizer": {}, "learning_rate": 1e-4}


def piper(held: State) -> Any:
    model = inside("model_g.dec.", held) | inside("model_g.", OTHERS)
    return {
        "state_dict": model | {"model_d.discriminators.0.convs.0.bias": torch.ones(2)},
        "global_step": 5,
        "pytorch-lightning_version": "1.7.7",
    }


def coqui(held: State) -> Any:
    model = inside("model_g.", held) | {"model_d.mpd.discriminators.0.bias": torch.ones(2)}
    return {"model": model, "step": 5}


def hub(held: State) -> Any:
    return {key.replace("ups.", "upsampler."): tensor for key, tensor in held.items()}


FILES: list[tuple[str, Callable[[State], Any], str]] = [
    ("generator-v1", jik876, "jik876"),
    ("generator-v2", jik876, "jik876"),
    ("generator-v3", jik876, "jik876"),
    ("vits-decoder", vits, "vits"),
    ("vits-decoder-speakers", vits, "vits"),
    ("piper-decoder", piper, "piper"),
    ("piper-decoder-speakers", piper, "piper"),
    ("vits-decoder", piper, "piper"),
    ("generator-v2", coqui, "coqui"),
    ("speecht5-hifigan", hub, "transformers"),
    ("fastspeech2-hifigan", hub, "transformers"),
]


@pytest.mark.parametrize(("name", "write", "layout"), FILES)
def test_a_file_is_read_by_the_layout_that_wrote_it(
    name: str, write: Callable[[State], Any], layout: str, tmp_path: Path
) -> None:
    torch.save(write(old(state(name))), tmp_path / "file")
    found = read_checkpoint(tmp_path / "file")
    assert (list(found.families), found.layout) == ([name], layout)
    assert found.steps == (5 if write in (vits, piper) else None)
    built = found.build(Variant(name)).module
    assert state_digest(built) == state_digest(loaded(name, state(name)))


def loaded(name: str, held: State) -> torch.nn.Module:
    module = Variant(name).network.build(())
    module.load_state_dict(held)
    return module


SPELLINGS: dict[str, Callable[[State], State]] = {
    "new norms": lambda held: held,
    "old norms": old,
    "DataParallel": lambda held: inside("module.", old(held)),
    "torch.compile": lambda held: inside("_orig_mod.", held),
}


@pytest.mark.parametrize("spelling", SPELLINGS)
@pytest.mark.parametrize("write", [jik876, vits])
def test_every_spelling_is_read(
    spelling: str, write: Callable[[State], Any], tmp_path: Path
) -> None:
    name = "generator-v3" if write is jik876 else "vits-decoder"
    held = SPELLINGS[spelling](state(name))
    torch.save(write(held), tmp_path / "file")
    built = read_checkpoint(tmp_path / "file").build(Variant(name)).module
    assert state_digest(built) == state_digest(loaded(name, state(name)))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
def test_folded_and_half_precision_weights_are_read(dtype: torch.dtype, tmp_path: Path) -> None:
    held = {key: tensor.to(dtype) for key, tensor in state("piper-decoder", folded=True).items()}
    torch.save(piper(held), tmp_path / "last.ckpt")
    built = read_checkpoint(tmp_path / "last.ckpt").build(Variant("piper-decoder")).module
    found = built.state_dict()
    assert found.keys() == held.keys() and "ups.0.weight" in held
    assert all(torch.equal(found[key], tensor.float()) for key, tensor in held.items())


def test_safetensors_of_transformers_are_read(tmp_path: Path) -> None:
    held = hub(state("speecht5-hifigan", folded=True))
    save_file(held, tmp_path / "model.safetensors")
    found = Source(tmp_path / "model.safetensors").build(Variant("speecht5-hifigan")).module
    assert torch.equal(found.state_dict()["ups.3.weight"], held["upsampler.3.weight"])
    assert torch.equal(found.state_dict()["mean"], held["mean"])


def refusal(content: Any, name: str, tmp_path: Path) -> str:
    torch.save(content, tmp_path / "file")
    with pytest.raises(HifiError) as error:
        Source(tmp_path / "file").check([Variant(name)])
    told = str(error.value)
    assert "\n" not in told
    return told


def test_another_generator_is_named(tmp_path: Path) -> None:
    told = refusal(jik876(old(state("generator-v2"))), "generator-v1", tmp_path)
    assert "file holds generator-v2, not generator-v1" in told
    assert "--network generator-v2" in told and "jik876/hifi-gan (do_*, g_*)" in told


def test_a_discriminators_file_is_no_generators(tmp_path: Path) -> None:
    mpd = old(Variant("mpd").network.build(Variant("mpd").members()).state_dict())
    told = refusal({"mpd": mpd}, "generator-v3", tmp_path)
    assert "holds mpd, not generator-v3" in told and "--network mpd" in told
    told = refusal(jik876(old(state("generator-v3"))), "mpd", tmp_path)
    assert "holds generator-v3, not mpd" in told and "--network generator-v3" in told


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"dec.conv_post.bias": torch.ones(1)}, "extra conv_post.bias"),
        ({"dec.ups.0.bias": None}, "missing ups.0.bias"),
        ({"dec.ups.0.bias": torch.ones(3)}, r"ups.0.bias has shape (3,), expected (256,)"),
        ({"dec.ups.0.bias": torch.full((256,), torch.nan)}, "ups.0.bias holds NaN or Inf"),
    ],
)
def test_a_layer_that_does_not_fit_is_named(
    change: dict[str, Tensor | None], said: str, tmp_path: Path
) -> None:
    content = vits(old(state("vits-decoder")))
    model = {k: v for k, v in (content["model"] | change).items() if v is not None}
    told = refusal(content | {"model": model}, "vits-decoder", tmp_path)
    assert said in told and "in the layout of jaywalnut310/vits" in told


def test_a_bare_state_dict_has_no_layout(tmp_path: Path) -> None:
    told = refusal(old(state("generator-v3")), "generator-v3", tmp_path)
    assert "give a file of jik876/hifi-gan" in told


def test_what_a_project_does_beside_its_network_is_said(tmp_path: Path) -> None:
    torch.save(coqui(old(state("generator-v3"))), tmp_path / "file")
    assert any("repeats" in note for note in read_checkpoint(tmp_path / "file").notes)


def test_a_network_of_no_parts_is_described_whole(tmp_path: Path) -> None:
    torch.save(jik876(old(state("generator-v3"))), tmp_path / "g_1")
    (found,) = describe_checkpoint(tmp_path / "g_1").members
    assert (found.name, found.norms) == ("generator-v3", {"weight_norm": 23})
