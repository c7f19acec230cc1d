"""Training checkpoints: every spelling gives its writer's network back, anything else one line."""

import argparse
import datetime as dt
import os
import pickle
import re
import sys
import zipfile
from collections import OrderedDict, defaultdict, deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from functools import cache, partial
from itertools import product
from pathlib import Path, PureWindowsPath
from types import ModuleType, SimpleNamespace
from typing import Any
from uuid import UUID
from zlib import crc32

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn.utils import spectral_norm, weight_norm
from torch.utils.serialization import config

from hifigan_ref.checkpoint import UNCHECKED, Checkpoint, read_checkpoint
from hifigan_ref.errors import HifiError
from hifigan_ref.mpd import MultiPeriodDiscriminator
from hifigan_ref.msd import MultiScaleDiscriminator
from hifigan_ref.networks.mpd import PERIODS
from hifigan_ref.networks.msd import SCALES
from hifigan_ref.norms import norm_of, set_norm
from hifigan_ref.stand_ins import STAND_INS, Dtype
from hifigan_ref.stand_ins import number as scalar
from hifigan_ref.trained import Conv, Trained, convolutions
from hifigan_ref.variant import Variant, all_variants, find_network

State = dict[str, Any]

TOLERANCE = 1e-5  # of the RMS of an output: 100 dB
CONTAINERS = {"zip": True, "legacy": False}
PREFIXES = ("", "module.")
WRAPPERS = (
    *("_orig_mod.", "module.module.", "module._orig_mod.", "_orig_mod.module."),
    "module._orig_mod.module.",
)
SAMPLES = 500
BIAS = "discriminators.0.convs.0.bias"

# Names in PyTorch's parametrizations -> its old names; weight_v means two things.
OLD_NAMES = {
    "parametrizations.weight.original0": "weight_g",
    "parametrizations.weight.original1": "weight_v",
    "parametrizations.weight.original": "weight_orig",
    "parametrizations.weight.0._u": "weight_u",
    "parametrizations.weight.0._v": "weight_v",
}


@pytest.fixture
def path(tmp_path: Path) -> Iterator[Path]:
    """Where to write a checkpoint; it is 280 MB, and pytest would keep the folder."""
    path = tmp_path / "do_00000007"
    yield path
    path.unlink(missing_ok=True)


# ------------------------------------------------------------------- what training left behind


def optimiser() -> State:
    """The state of the official optimiser, of a smaller network."""
    layer = nn.Linear(3, 2)
    adam = torch.optim.AdamW(layer.parameters(), 2e-4, betas=(0.8, 0.99))
    layer(torch.ones(1, 3)).sum().backward()
    adam.step()
    return adam.state_dict()


def save(path: Path, families: State, container: str = "zip", prefix: str = "") -> None:
    """Write what jik876/hifi-gan's ``train.py`` writes, and PyTorch before 1.6 wrote."""
    named = {
        family: {f"{prefix}{key}": tensor for key, tensor in state.items()}
        for family, state in families.items()
    }
    rest = {"optim_g": optimiser(), "optim_d": optimiser(), "steps": 7, "epoch": 1}
    new = CONTAINERS[container]
    torch.save(named | rest, path, _use_new_zipfile_serialization=new)


def with_old_hook(conv: Conv) -> None:
    """Through the API of 2020: the norm of a layer, its direction of any length."""
    norm = norm_of(conv)
    set_norm(conv, "none")
    if norm == "spectral_norm":
        spectral_norm(conv)
    else:
        weight_norm(conv)
        g, v = conv.state_dict()["weight_g"], conv.state_dict()["weight_v"]
        v *= 2 ** torch.randn_like(g)


def old(module: nn.Module) -> None:
    for conv in convolutions(module).values():
        with_old_hook(conv)
    descent = torch.optim.SGD(module.parameters(), 1e-6)
    for _ in range(2):
        judged = module.judge(torch.randn(1, 1, 64))  # type: ignore[operator]
        descent.zero_grad()
        torch.stack([(1 - score).square().mean() for score, _ in judged]).sum().backward()  # type: ignore[no-untyped-call]
        descent.step()


def new(module: nn.Module) -> None:
    assert module.training  # nothing to do


def folded(module: nn.Module) -> None:
    for conv in convolutions(module).values():
        set_norm(conv, "none")


def mixed(module: nn.Module) -> None:
    """Every third layer in each of the spellings, and the vectors of the old norm iterated."""
    for index, conv in enumerate(convolutions(module).values()):
        if index % 3 == 0:
            with_old_hook(conv)
        elif index % 3 == 1:
            set_norm(conv, "none")
    with torch.no_grad():
        for _ in range(2):
            module.judge(torch.randn(1, 1, 64))  # type: ignore[operator]


@dataclass(frozen=True)
class Writer:
    """A training run that ends: its state dicts, and its own outputs by family."""

    families: State
    outputs: dict[str, list[Tensor]]


def outputs(module: nn.Module) -> list[Tensor]:
    """Every score and feature map for two waveforms."""
    generator = torch.Generator().manual_seed(1)
    y = 0.1 * torch.randn(2, 1, SAMPLES, generator=generator)
    with torch.no_grad():
        judged = module.judge(y)  # type: ignore[operator]
    return [tensor for score, fmaps in judged for tensor in (score, *fmaps)]


@pytest.fixture(scope="module")
def writer(request: pytest.FixtureRequest, mpd: Trained, msd: Trained) -> Writer:
    spell: Callable[[nn.Module], None] = request.param
    torch.manual_seed(0)
    # Not deep copies of the fixtures: they would share the classes that PyTorch takes norms off.
    modules = {"mpd": MultiPeriodDiscriminator(PERIODS), "msd": MultiScaleDiscriminator(SCALES)}
    for trained, module in zip((mpd, msd), modules.values(), strict=True):
        module.load_state_dict(trained.module.state_dict())
        spell(module)
        module.eval()
    return Writer(
        {family: module.state_dict() for family, module in modules.items()},
        {family: outputs(module) for family, module in modules.items()},
    )


@pytest.mark.filterwarnings("ignore:.*weight_norm:FutureWarning")
@pytest.mark.parametrize(
    ("writer", "container", "prefix"),
    [
        (old, "zip", ""),
        (old, "legacy", "module."),
        (new, "zip", "module."),
        (folded, "legacy", ""),
        (mixed, "zip", ""),
    ],
    indirect=["writer"],
)
def test_it_computes_what_its_writer_computed(
    writer: Writer, path: Path, container: str, prefix: str
) -> None:
    save(path, writer.families, container, prefix)
    checkpoint = read_checkpoint(path)
    assert (checkpoint.container, checkpoint.prefixed) == (container, bool(prefix))
    for family, expected in writer.outputs.items():
        trained = checkpoint.build(Variant(family))
        assert trained.origin == "do_00000007"
        assert not trained.module.training
        for tensor, own in zip(outputs(trained.module), expected, strict=True):
            rms = own.square().mean().sqrt()
            assert rms.isfinite() and rms > 1e-3
            assert (tensor - own).abs().max() <= TOLERANCE * rms


# ------------------------------------------------------- the whole layout in a few kilobytes


def hollow(key: str, shape: torch.Size) -> Tensor:
    """A tensor of any size over one number, which is the key's own."""
    return torch.tensor([1.0 + crc32(key.encode()) % 2**20]).as_strided(shape, [0] * len(shape))


def number(tensor: Tensor) -> tuple[torch.Size, float]:
    """The shape of a hollow tensor and what it is filled with."""
    return tensor.shape, tensor[(0,) * tensor.dim()].item()


@cache
def hollow_families(spelling: str = "new") -> dict[str, State]:
    """A checkpoint's two state dicts, new, old or folded. Do not change them."""
    with torch.device("meta"):
        modules = {"mpd": MultiPeriodDiscriminator(PERIODS), "msd": MultiScaleDiscriminator(SCALES)}
        if spelling == "folded":
            for module in modules.values():
                folded(module)
    families = {}
    for family, module in modules.items():
        state = {}
        for key, tensor in module.state_dict().items():
            name = key
            if spelling == "old":
                stem, rest = re.fullmatch(r"(.*?(?:convs\.\d|conv_post))\.(.*)", key).groups()  # type: ignore[union-attr]
                name = f"{stem}.{OLD_NAMES.get(rest, rest)}"
            state[name] = hollow(key, tensor.shape)
        families[family] = state
    return families


@pytest.fixture
def families() -> dict[str, State]:
    return hollow_families()


@pytest.mark.filterwarnings("ignore:.*weight_norm:FutureWarning")
def test_the_old_names_are_those_of_the_old_api() -> None:
    with torch.device("meta"):
        modules = {"mpd": MultiPeriodDiscriminator(PERIODS), "msd": MultiScaleDiscriminator(SCALES)}
    for family, module in modules.items():
        for conv in convolutions(module).values():
            with_old_hook(conv)
        assert set(hollow_families("old")[family]) == set(module.state_dict())
    assert "discriminators.0.convs.0.weight_orig" in hollow_families("old")["msd"]
    assert "discriminators.1.convs.0.weight_g" in hollow_families("old")["msd"]


@pytest.mark.parametrize(
    ("spelling", "container", "prefix"),
    list(product(["old", "new", "folded"], CONTAINERS, PREFIXES)),
)
def test_every_wrapping_is_read(path: Path, spelling: str, container: str, prefix: str) -> None:
    save(path, {"msd": hollow_families(spelling)["msd"]}, container, prefix)
    checkpoint = read_checkpoint(path)
    assert checkpoint.name == "do_00000007"
    assert checkpoint.container == container
    assert checkpoint.prefixed == bool(prefix)
    assert checkpoint.steps == 7
    layers = checkpoint.families["msd"]
    found = {
        f"{at}.{name}": tensor
        for at, layer in layers.items()
        for name, tensor in layer.tensors.items()
    }
    expected = hollow_families("folded" if spelling == "folded" else "new")["msd"]
    assert {key: number(tensor) for key, tensor in found.items()} == {
        key: number(tensor) for key, tensor in expected.items()
    }
    norms = {at: layer.norm for at, layer in layers.items()}
    if spelling == "folded":
        assert set(norms.values()) == {"none"}
    else:
        assert norms["discriminators.0.convs.1"] == "spectral_norm"
        assert norms["discriminators.1.convs.1"] == "weight_norm"


def numbers(checkpoint: Checkpoint, family: str) -> dict[str, object]:
    """What each hollow tensor of a checkpoint is, by its key in the layout."""
    return {
        f"{at}.{name}": number(tensor)
        for at, layer in checkpoint.families[family].items()
        for name, tensor in layer.tensors.items()
    }


def wrapped(state: State, prefix: str, at: str = "") -> State:
    """A state dict with a wrapper in front of every key, or behind one of its parts."""
    return {
        (f"{at}{prefix}{k.removeprefix(at)}" if k.startswith(at) else k): t
        for k, t in state.items()
    }


@pytest.mark.parametrize("prefix", WRAPPERS)
def test_wrappers_in_any_order_are_read(
    path: Path, families: dict[str, State], prefix: str
) -> None:
    torch.save({"mpd": wrapped(families["mpd"], prefix)}, path)
    checkpoint = read_checkpoint(path)
    assert (checkpoint.prefixed, checkpoint.prefixes) == (True, {"mpd": prefix})
    expected = {key: number(tensor) for key, tensor in families["mpd"].items()}
    assert numbers(checkpoint, "mpd") == expected


@pytest.mark.parametrize(
    ("at", "told"),
    [
        ("discriminators.3.", "_orig_mod."),
        ("discriminators.", "_orig_mod."),
        ("discriminators.0.convs.1.", "_orig_mod."),
    ],
)
@pytest.mark.parametrize("lead", ["", "module."])
def test_a_wrapper_around_a_part_is_read(
    path: Path, families: dict[str, State], at: str, told: str, lead: str
) -> None:
    state = wrapped(wrapped(families["mpd"], "_orig_mod.", at), lead)
    torch.save({"mpd": state}, path)
    checkpoint = read_checkpoint(path)
    expected = {key: number(tensor) for key, tensor in families["mpd"].items()}
    assert numbers(checkpoint, "mpd") == expected
    assert checkpoint.prefixes["mpd"] == (f"{lead} and inside {told}" if lead else told)


def test_each_family_has_its_own_wrappers(path: Path, families: dict[str, State]) -> None:
    torch.save({"mpd": wrapped(families["mpd"], "module."), "msd": families["msd"]}, path)
    assert read_checkpoint(path).prefixes == {"mpd": "module.", "msd": ""}


def test_a_wrapper_in_front_of_some_keys_is_refused(path: Path, families: dict[str, State]) -> None:
    """No network writes such a file: it was put together from two."""
    state = wrapped(families["mpd"], "module.", "discriminators.4.")
    mixed = {
        (f"module.{k}" if k.startswith("discriminators.4.") else k): t
        for k, t in families["mpd"].items()
    }
    assert "missing discriminators.4.convs.0.bias" in refusal_of(path, mixed)
    twice = families["mpd"] | {k: t for k, t in state.items() if k not in families["mpd"]}
    assert "extra discriminators.4.module." in refusal_of(path, twice)


def test_each_member_gets_its_own_weights(path: Path, families: dict[str, State]) -> None:
    save(path, families)
    checkpoint = read_checkpoint(path)
    for name, index in (("mpd-2", 0), ("mpd-11", 4), ("msd-0", 0), ("msd-1", 1), ("msd-2", 2)):
        variant = Variant.parse(name)
        trained = checkpoint.build(variant)
        assert trained.variant == variant
        for key, tensor in trained.module.state_dict().items():
            own = key.replace("discriminators.0", f"discriminators.{index}")
            assert number(tensor) == number(families[variant.family][own]), key


def test_half_precision_becomes_float32(path: Path, families: dict[str, State]) -> None:
    half = {key: tensor.to(torch.bfloat16) for key, tensor in families["mpd"].items()}
    save(path, {"mpd": half})
    module = read_checkpoint(path).build(Variant("mpd", "2")).module
    assert {tensor.dtype for tensor in module.state_dict().values()} == {torch.float32}
    assert torch.equal(module.state_dict()[BIAS], half[BIAS].float())


def test_other_weights_have_another_digest(path: Path, families: dict[str, State]) -> None:
    digests = set()
    for change in (0.0, 1.0, 1.0):
        save(path, {"mpd": families["mpd"] | {BIAS: families["mpd"][BIAS] + change}})
        digests.add(read_checkpoint(path).build(Variant("mpd", "2")).digest)
    assert len(digests) == 2


def test_what_else_a_file_holds_is_its_own_business(path: Path, families: dict[str, State]) -> None:
    torch.save(families | {"ema": [1, 2], "epoch": None}, path)
    assert read_checkpoint(path).steps is None


class AttrDict(dict[str, object]):
    """jik876/hifi-gan's: a dict that is its own attributes."""

    def __init__(self, *args: object) -> None:
        super().__init__(*args)
        self.__dict__ = self


@pytest.fixture
def attr_dict(monkeypatch: pytest.MonkeyPatch) -> type[AttrDict]:
    """As pickles name it."""
    module = ModuleType("env")
    monkeypatch.setattr(AttrDict, "__module__", "env")
    module.AttrDict = AttrDict  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "env", module)
    return AttrDict


HARMLESS: dict[str, object] = {
    "scalar": np.int64(5),
    "half": np.float16(0.5),
    "truth": np.bool_(True),
    "array": np.arange(6).reshape(2, 3),
    "random state": np.random.RandomState(0).get_state(),
    "type": np.dtype("float32"),
    "options": argparse.Namespace(a=1, b=argparse.Namespace(c=Path("c"))),
    "space": SimpleNamespace(a=1),
    "default": defaultdict(list, {"a": [1]}),
    "counts": defaultdict(int, {"a": 1}),
    "plain default": defaultdict(None, {"a": 1}),
    "ordered": OrderedDict(a=1),
    "queue": deque([1, 2], maxlen=3),
    "path": Path("a/b"),
    "other path": PureWindowsPath("a/b"),
    "time": dt.datetime(2024, 1, 2, 3, tzinfo=dt.UTC),
    "delta": dt.timedelta(1),
    "version": torch.torch_version.TorchVersion("2.1.0"),
    "frozen": frozenset({1, 2}),
    "range": range(3),
    "slice": slice(1, 2),
    "nothing": b"",
    "identity": UUID(int=1),
    "money": Decimal("1.5"),
    "share": Fraction(1, 3),
}


@pytest.mark.parametrize("container", CONTAINERS)
@pytest.mark.parametrize("name", HARMLESS)
def test_harmless_things_beside_the_weights_are_read_past(
    path: Path, families: dict[str, State], container: str, name: str
) -> None:
    save(path, {"msd": families["msd"]}, container)
    whole = {"msd": families["msd"], "x": HARMLESS[name], "after": [HARMLESS[name]], "steps": 7}
    torch.save(whole, path, _use_new_zipfile_serialization=CONTAINERS[container])
    checkpoint = read_checkpoint(path)
    assert (checkpoint.steps, checkpoint.notes) == (7, ())
    assert numbers(checkpoint, "msd") == {k: number(t) for k, t in families["msd"].items()}
    allowed = [each[1] for each in torch.serialization.get_safe_globals() if type(each) is tuple]
    assert not {*allowed} & {*STAND_INS}  # for nobody else


def test_the_configuration_of_the_official_code_is_read_past(
    path: Path, families: dict[str, State], attr_dict: type[AttrDict]
) -> None:
    torch.save({"msd": families["msd"], "h": attr_dict({"a": 1, "b": [1]})}, path)
    assert read_checkpoint(path).families


@pytest.mark.parametrize("kind", [defaultdict, OrderedDict, AttrDict])
def test_a_dict_of_another_kind_is_a_dict(
    path: Path, families: dict[str, State], attr_dict: type[AttrDict], kind: type
) -> None:
    assert attr_dict is AttrDict
    made: State = defaultdict(dict) if kind is defaultdict else kind()
    made.update({"msd": families["msd"], "steps": 7})
    torch.save(made, path)
    assert read_checkpoint(path).steps == 7


@pytest.mark.parametrize(
    ("found", "told"),
    [
        *((kind(9), 9) for kind in (np.int64, np.int32, np.uint8, int)),
        *((np.dtype(">i8").type(9), 9), (torch.tensor(9), 9), (torch.tensor([9]), 9)),
        *((value, None) for value in (9.0, np.float64(9), True, np.bool_(True), "9", [9])),
        *((value, None) for value in (torch.ones(2), torch.tensor(9, device="meta"))),
    ],
)
def test_steps_may_be_a_number_of_any_library(
    path: Path, families: dict[str, State], found: object, told: int | None
) -> None:
    torch.save({"msd": families["msd"], "steps": found}, path)
    assert read_checkpoint(path).steps == told


def test_numbers_of_an_older_numpy_are_read(path: Path, families: dict[str, State]) -> None:
    whole = {"msd": families["msd"], "steps": np.int64(7), "x": np.ones(3)}
    torch.save(whole, path, _use_new_zipfile_serialization=False)
    content = path.read_bytes()
    assert b"numpy._core.multiarray\n" in content
    path.write_bytes(content.replace(b"numpy._core.multiarray\n", b"numpy.core.multiarray\n"))
    assert read_checkpoint(path).steps == 7


@pytest.mark.parametrize(
    ("code", "order", "content", "told"),
    [
        ("i8", "<", b"\7" + bytes(7), 7),
        ("i8", ">", bytes(7) + b"\7", 7),  # of a machine of the other byte order
        ("b1", "|", b"\1", True),
        ("f2", "<", b"\0\x3c", 1.0),
        ("i8", "<", b"\7", None),
        ("O8", "|", b"\7" + bytes(7), None),
        ("V8", "|", bytes(8), None),
        ("i8", "<", "7", None),
        ("f1", "<", b"\7", None),
        (b"i8", "<", bytes(8), None),
        ("i8,i8", "<", bytes(16), None),
    ],
)
def test_a_number_is_read_where_it_is_one(
    code: object, order: str, content: object, told: object
) -> None:
    dtype = Dtype(code, False, True)
    dtype.__setstate__((3, order, None, None, None, -1, -1, 0))
    assert scalar(dtype, content) == told
    assert scalar(code, content) is None


AVERAGED = "averaged weights (EMA), which are not read"
OTHERS = "other discriminators, which are not read"
NVIDIA = "keys that NVIDIA's DeepLearningExamples write"


@pytest.mark.parametrize(
    ("beside", "told"),
    [
        ({"mpd_ema": {BIAS: torch.ones(32)}}, (f"mpd_ema: {AVERAGED}", f"mpd_ema: {NVIDIA}")),
        ({"mpd_ema": None, "msd_ema": None}, (f"mpd_ema, msd_ema: {NVIDIA}",)),
        ({"scaler_d": {"scale": 1.0}, "scaler_g": {}}, (f"scaler_d, scaler_g: {NVIDIA}",)),
        ({"train_setup": {"lr": 1e-4}}, (f"train_setup: {NVIDIA}",)),
        ({"ema": {"mpd": {BIAS: torch.ones(32)}}}, (f"ema: {AVERAGED}",)),
        ({"ema": {"shadow_params": [torch.ones(3)], "decay": 0.9}}, (f"ema: {AVERAGED}",)),
        ({"ema_decay": 0.9, "ema_loss": torch.tensor(0.5)}, ()),
        ({"mbd": {BIAS: torch.ones(32)}}, (f"mbd: {OTHERS}",)),
        ({"cqtd": {BIAS: torch.ones(32)}}, (f"cqtd: {OTHERS}",)),
        ({"optim_discriminator": {"state": {0: {"exp_avg": torch.ones(3)}}}}, ()),
        ({"schema": {"a": torch.ones(3)}, "generator": {"a": torch.ones(3)}}, ()),
    ],
)
def test_what_could_be_taken_for_the_weights_is_told(
    path: Path, families: dict[str, State], beside: State, told: tuple[str, ...]
) -> None:
    torch.save(families | beside, path)
    notes = read_checkpoint(path).notes
    assert len(notes) == len(told)
    for note, begins in zip(notes, told, strict=True):
        assert note.startswith(begins)
        assert note.isprintable() and len(note) < 400


def test_what_the_official_training_writes_has_no_notes(
    path: Path, families: dict[str, State]
) -> None:
    save(path, families)
    assert read_checkpoint(path).notes == ()


def test_a_dict_that_holds_itself_is_looked_at_once(path: Path, families: dict[str, State]) -> None:
    loop: State = {}
    loop.update({str(i): loop for i in range(100)})
    torch.save({"msd": families["msd"], "loop": loop}, path)
    assert read_checkpoint(path).notes == ()


@pytest.mark.parametrize(("held", "asked"), [("mpd", "msd"), ("msd", "mpd")])
def test_one_family_is_enough_for_its_own_variants(
    path: Path, families: dict[str, State], held: str, asked: str
) -> None:
    save(path, {held: families[held]})
    checkpoint = read_checkpoint(path)
    assert list(checkpoint.families) == [held]
    for variant in all_variants():
        if variant.family == asked:
            with pytest.raises(HifiError) as caught:
                checkpoint.build(variant)
            assert str(caught.value).startswith(f"do_00000007 holds {held}, not {asked}")
    assert checkpoint.build(Variant(held, find_network(held).parts[0]))


# --------------------------------------------------------------------------- what is refused


def refusal(path: Path) -> str:
    """The one line that refuses a file."""
    with pytest.raises(HifiError) as caught:
        read_checkpoint(path)
    message = str(caught.value)
    assert str(path) in message
    assert message.isprintable(), message  # no line break, no control character
    assert len(message) < 1500
    return message


def refusal_of(path: Path, state: State, **others: object) -> str:
    torch.save({"mpd": state, **others}, path)
    return refusal(path)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    assert "is not a file" in refusal(tmp_path / "do_00000000")


def test_a_folder_is_refused(tmp_path: Path) -> None:
    assert "is not a file" in refusal(tmp_path)


def test_a_name_that_no_file_system_takes_is_refused(tmp_path: Path) -> None:
    refusal(tmp_path / ("do_" + "0" * 300))


def test_an_empty_file_is_refused(path: Path) -> None:
    path.touch()
    refusal(path)


@pytest.mark.parametrize("container", CONTAINERS)
@pytest.mark.parametrize("share", [0.01, 0.2, 0.5, 0.9, 0.999])
def test_a_truncated_file_is_refused(
    path: Path, families: dict[str, State], container: str, share: float
) -> None:
    save(path, families, container)
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    refusal(path)


@pytest.mark.parametrize("head", [b"", b"PK\x03\x04", b"\x80\x02", b"\x80\x04"])
def test_random_bytes_are_refused(path: Path, head: bytes) -> None:
    generator = torch.Generator().manual_seed(0)
    noise = torch.randint(256, (5000,), dtype=torch.uint8, generator=generator)
    path.write_bytes(head + noise.numpy().tobytes())
    refusal(path)


def test_another_archive_is_refused(path: Path) -> None:
    import numpy as np

    with path.open("wb") as file:
        np.savez(file, mpd=np.ones(3))
    refusal(path)


def test_a_generator_is_called_by_its_name(path: Path) -> None:
    torch.save({"generator": {"first.bias": torch.ones(3)}}, path)
    told = refusal(path)
    assert "generator's checkpoint (g_*)" in told and "with --config" in told


ANY = {"module.mpd.discriminators.0.convs.0.bias": torch.ones(3)}
MEMBER = {"discriminators.0.convs.0.bias": torch.ones(3)}


@pytest.mark.parametrize(
    ("content", "place", "key"),
    [
        ({"generator": {"model": {}}, "discriminator": {"model": ANY}}, "discriminator/model", ANY),
        ({"generator": {}, "discriminator": {"mpd": MEMBER}}, "discriminator/mpd", MEMBER),
        ({"state_dict": ANY, "epoch": 3}, "state_dict", ANY),
        ({"disc": MEMBER, "iteration": 5, "learning_rate": 1e-4}, "disc", MEMBER),
        ({"model_disc": {"mpd.x": torch.ones(3)}}, "model_disc", {"mpd.x": 0}),
        ({"netD": {"a": torch.ones(3)}, "generator": {"b": torch.ones(3)}}, "netD", {"a": 0}),
        (MEMBER, "its top level", MEMBER),
        ({"mpd_ema": MEMBER}, "mpd_ema", MEMBER),
    ],
)
def test_a_discriminator_in_another_place_is_told(
    path: Path, content: State, place: str, key: State
) -> None:
    torch.save(content, path)
    message = refusal(path)
    assert f"holds a discriminator in {place} (keys like {next(iter(key))})" in message
    assert "under the keys mpd and msd" in message and "generator's" not in message


def test_the_optimiser_of_a_discriminator_is_none(path: Path) -> None:
    state = {"state": {0: {"exp_avg": torch.ones(3)}}}
    torch.save({"generator": {}, "optimizer_discriminator": state}, path)
    assert "holds a discriminator" not in refusal(path)


@pytest.mark.parametrize(
    "content", [{"state_dict": {}, "epoch": 3}, {"model": torch.ones(2)}, {}, {1: 2}]
)
def test_a_foreign_dict_is_told_what_it_has(path: Path, content: State) -> None:
    torch.save(content, path)
    message = refusal(path)
    assert "holds no network that a layout names" in message
    assert "give a file of jik876/hifi-gan (do_*, g_*), or of another layout" in message
    assert all(str(key) in message for key in content)


@pytest.mark.parametrize("content", [[1, 2], (), torch.ones(3), 5, "mpd", None], ids=repr)
@pytest.mark.parametrize("container", CONTAINERS)
def test_no_dict_is_refused(path: Path, content: object, container: str) -> None:
    torch.save(content, path, _use_new_zipfile_serialization=CONTAINERS[container])
    assert "not a dict" in refusal(path)


@pytest.mark.parametrize("content", [[1], None, torch.ones(3), {0: torch.ones(3)}], ids=repr)
def test_a_family_that_is_no_state_dict_is_refused(path: Path, content: object) -> None:
    torch.save({"mpd": content}, path)
    assert "'mpd' is not a state dict" in refusal(path)


@dataclass(frozen=True)
class Trap:
    """Unpickling it writes a file."""

    marker: Path

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.write_text, (self.marker, "code ran")


@pytest.mark.parametrize("container", CONTAINERS)
@pytest.mark.parametrize("place", ["whole", "family", "tensor", "optimiser"])
def test_code_in_a_file_is_never_run(
    path: Path, families: dict[str, State], container: str, place: str
) -> None:
    trap = Trap(path.with_name("marker"))
    content: object = {
        "whole": trap,
        "family": {"mpd": trap},
        "tensor": {"mpd": families["mpd"] | {BIAS: trap}},
        "optimiser": {**families, "optim_d": trap},
    }[place]
    torch.save(content, path, _use_new_zipfile_serialization=CONTAINERS[container])
    assert "code in it is never run" in refusal(path)
    assert not trap.marker.exists()
    torch.load(path, weights_only=False)
    assert trap.marker.read_text() == "code ran"  # the trap was armed


class Own:
    """A class of the training script."""


@pytest.mark.parametrize(
    ("value", "name"),
    [
        (Own(), f"{Own.__module__}.Own"),
        (os.mkdir, f"{os.mkdir.__module__}.mkdir"),
        (getattr, "builtins.getattr"),
        (eval, "builtins.eval"),
        (nn.Linear(1, 1), "torch.nn.modules.linear.Linear"),
        (np.random.default_rng(0), "numpy.random._pickle.__generator_ctor"),
        (partial(print, 1), "functools.partial"),
    ],
)
@pytest.mark.parametrize("container", CONTAINERS)
def test_what_is_not_read_past_is_named_in_full(
    path: Path, value: object, name: str, container: str
) -> None:
    torch.save({"mpd": {}, "x": value}, path, _use_new_zipfile_serialization=CONTAINERS[container])
    message = refusal(path)
    assert f"holds more than tensors ({name})" in message
    assert "GLOBAL" not in message


@pytest.mark.parametrize("protocol", [4, 5])
@pytest.mark.parametrize("container", CONTAINERS)
def test_a_newer_pickle_protocol_is_told(path: Path, protocol: int, container: str) -> None:
    new = CONTAINERS[container]
    content = {"mpd": {BIAS: torch.ones(3)}}
    torch.save(content, path, pickle_protocol=protocol, _use_new_zipfile_serialization=new)
    assert "newer pickle protocol" in refusal(path)


def test_protocol_3_is_read_in_silence(path: Path, families: dict[str, State]) -> None:
    torch.save({"msd": families["msd"]}, path, pickle_protocol=3)
    assert read_checkpoint(path).families


def test_a_pickle_that_torch_did_not_write_is_told(path: Path) -> None:
    path.write_bytes(pickle.dumps({"mpd": {BIAS: [1.0] * 32}}, protocol=2))
    assert "a pickle that torch.save did not write" in refusal(path)


def test_a_missing_layer_is_named(path: Path, families: dict[str, State]) -> None:
    state = {k: v for k, v in families["mpd"].items() if "discriminators.3.convs.2" not in k}
    message = refusal_of(path, state)
    assert "missing discriminators.3.convs.2.bias" in message
    assert "missing discriminators.3.convs.2.weight" in message
    assert "more" not in message


@pytest.mark.parametrize(
    "key",
    [
        BIAS,
        "discriminators.4.conv_post.parametrizations.weight.original0",
        "discriminators.4.conv_post.parametrizations.weight.original1",
    ],
)
def test_a_missing_key_is_named(path: Path, families: dict[str, State], key: str) -> None:
    state = {name: tensor for name, tensor in families["mpd"].items() if name != key}
    layer = key.partition(".parametrizations")[0].removesuffix(".bias")
    assert f"missing {layer}." in refusal_of(path, state)


def test_a_spectral_norm_without_its_vectors_is_refused(path: Path) -> None:
    state = dict(hollow_families("old")["msd"])
    del state["discriminators.0.convs.1.weight_u"]
    torch.save({"msd": state}, path)
    assert "missing discriminators.0.convs.1.weight" in refusal(path)


@pytest.mark.parametrize(
    "key",
    [
        "discriminators.5.convs.0.bias",
        "discriminators.0.convs.5.bias",
        "discriminators.0.convs.0.weight",
        "discriminators.0.convs.00.bias",
        "meanpools.0.weight",
        "module.discriminators.0.convs.0.bias",
    ],
)
def test_an_extra_key_is_named(path: Path, families: dict[str, State], key: str) -> None:
    assert f"extra {key}" in refusal_of(path, families["mpd"] | {key: torch.ones(3)})


def test_a_misshapen_key_is_named_with_both_shapes(path: Path, families: dict[str, State]) -> None:
    message = refusal_of(path, families["mpd"] | {BIAS: torch.ones(3, 2)})
    assert f"{BIAS} has shape (3, 2), expected (32,)" in message


@pytest.mark.parametrize("spelling", ["old", "new", "folded"])
def test_every_key_has_a_shape_to_keep(path: Path, spelling: str) -> None:
    state = hollow_families(spelling)["msd"]
    for layer in ("discriminators.0.convs.1.", "discriminators.1.convs.1."):
        wrong = {key: state[key].unsqueeze(0) for key in state if key.startswith(layer)}
        torch.save({"msd": state | wrong}, path)
        assert refusal(path).count("has shape") == len(wrong) >= 2


def test_the_networks_of_other_families_are_refused(path: Path, families: dict[str, State]) -> None:
    torch.save({"mpd": families["msd"]}, path)
    assert "more" in refusal(path)


@pytest.mark.parametrize(
    ("part", "value"),
    [*((part, torch.nan) for part in OLD_NAMES), ("bias", torch.inf), ("bias", -torch.inf)],
)
def test_what_is_no_number_is_refused(
    path: Path, families: dict[str, State], part: str, value: float
) -> None:
    scale = 1 if part.endswith(("original0", "original1")) else 0
    key = f"discriminators.{scale}.convs.0.{part}"
    tensor = families["msd"][key].clone()
    tensor.view(-1)[-1] = value
    torch.save({"msd": families["msd"] | {key: tensor}}, path)
    assert f"{key} holds NaN or Inf" in refusal(path)


def test_a_number_too_large_for_float32_is_refused(path: Path, families: dict[str, State]) -> None:
    """It is finite in the file and Inf in the network."""
    huge = torch.full((32,), 1e300, dtype=torch.float64)
    assert BIAS in refusal_of(path, families["mpd"] | {BIAS: huge})


@pytest.mark.parametrize(
    "value",
    [
        torch.ones(32, dtype=torch.int64),
        torch.ones(32, dtype=torch.complex64),
        torch.ones(32, dtype=torch.float8_e4m3fn),
        torch.ones(32).to_sparse(),
        torch.ones(32, device="meta"),
        [1.0] * 32,
        1.0,
    ],
    ids=["int", "complex", "float8", "sparse", "meta", "list", "number"],
)
def test_what_is_no_plain_tensor_is_refused(
    path: Path, families: dict[str, State], value: object
) -> None:
    assert BIAS in refusal_of(path, families["mpd"] | {BIAS: value})


@pytest.mark.filterwarnings("ignore:Sparse CSR tensor support:UserWarning")
def test_compressed_rows_are_no_plain_tensor(path: Path, families: dict[str, State]) -> None:
    key = "discriminators.1.convs.0.parametrizations.weight.original1"
    rows = families["msd"][key].contiguous().to_sparse_csr()
    torch.save({"msd": families["msd"] | {key: rows}}, path)
    assert key in refusal(path)


@pytest.mark.parametrize(("extra", "named", "more"), [(5, 5, None), (6, 5, 1), (40, 5, 35)])
def test_at_most_five_problems_are_named(
    path: Path, families: dict[str, State], extra: int, named: int, more: int | None
) -> None:
    strange = {f"strange.{i:02}": torch.ones(1) for i in range(extra)}
    message = refusal_of(path, families["mpd"] | strange)
    assert message.count("extra strange.") == named
    assert (f"and {more} more" in message) if more else ("more" not in message)


def test_an_empty_state_dict_misses_everything(path: Path) -> None:
    assert "and 55 more" in refusal_of(path, {})


@pytest.mark.parametrize(
    "key", ["line\nbreak", "\x1b[31mred", "x" * 100_000], ids=["lf", "esc", "long"]
)
def test_names_in_a_file_do_not_write_on_the_terminal(
    path: Path, families: dict[str, State], key: str
) -> None:
    torch.save({key: 1}, path)
    refusal(path)
    refusal_of(path, families["mpd"] | {key: torch.ones(1)})


# ---------------------------------------------------------------------------------- damage


@pytest.fixture(scope="module")
def damaged(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("damage") / "do_00000001"


@pytest.fixture(scope="module")
def intact(damaged: Path) -> list[bytes]:
    """The same few tensors in both containers."""
    files = []
    for container in CONTAINERS:
        save(damaged, {"mpd": {BIAS: torch.ones(32)}}, container)
        files.append(damaged.read_bytes())
    return files


def assert_refused(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    with pytest.raises(HifiError):
        read_checkpoint(path)


@settings(max_examples=60, deadline=None, derandomize=True, database=None)
@given(which=st.integers(0, 1), share=st.floats(0, 1, exclude_max=True))
def test_a_file_cut_anywhere_is_refused(
    damaged: Path, intact: list[bytes], which: int, share: float
) -> None:
    content = intact[which]
    assert_refused(damaged, content[: int(share * len(content))])


@settings(max_examples=150, deadline=None, derandomize=True, database=None)
@given(
    which=st.integers(0, 1),
    flips=st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 7)), min_size=1),
)
def test_a_file_with_flipped_bits_is_refused(
    damaged: Path, intact: list[bytes], which: int, flips: list[tuple[float, int]]
) -> None:
    """It lacks most layers, so that no flip can make it whole."""
    content = bytearray(intact[which])
    for share, bit in flips:
        content[int(share * len(content))] ^= 1 << bit
    assert_refused(damaged, bytes(content))


def test_a_flipped_bit_in_the_weights_is_found(path: Path, families: dict[str, State]) -> None:
    """PyTorch does not look at the checksums that its own files hold."""
    state = {key: tensor.clone() for key, tensor in families["mpd"].items()}
    torch.save({"mpd": state}, path)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    assert "is damaged" in refusal(path)


@pytest.fixture
def no_checksums() -> Iterator[None]:
    """PyTorch's own setting; 0 stands where a checksum would."""
    with config.patch({"save.compute_crc32": False}):  # type: ignore[attr-defined]
        yield


@pytest.mark.usefixtures("no_checksums")
def test_a_file_without_checksums_is_read(path: Path, families: dict[str, State]) -> None:
    save(path, families)
    with zipfile.ZipFile(path) as archive:
        assert not any(entry.CRC for entry in archive.infolist())
    checkpoint = read_checkpoint(path)
    assert checkpoint.notes == (UNCHECKED,)
    for family, state in families.items():
        assert numbers(checkpoint, family) == {key: number(each) for key, each in state.items()}


@pytest.mark.usefixtures("no_checksums")
@pytest.mark.parametrize("share", [0.01, 0.2, 0.5, 0.9, 0.999])
def test_a_file_without_checksums_that_was_cut_is_refused(
    path: Path, families: dict[str, State], share: float
) -> None:
    save(path, families)
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    refusal(path)
    path.write_bytes(content[:1000] + content[1000 + int(share * 1000) + 1 :])  # in the middle
    refusal(path)


def test_a_checksum_counts_where_others_are_missing(
    path: Path, families: dict[str, State], tmp_path: Path
) -> None:
    """Each entry is held to its own."""
    torch.save({"msd": families["msd"]}, tmp_path / "whole")
    entry = "whole/data/3"
    for damaged in (False, True):
        content = bytearray((tmp_path / "whole").read_bytes())
        with zipfile.ZipFile(tmp_path / "whole") as archive:
            others = [each for each in archive.infolist() if each.filename != entry]
            place = content.index(archive.read(entry), archive.getinfo(entry).header_offset)
        for each in others:  # in the directory, beside the size
            sizes = each.compress_size.to_bytes(4, "little") + each.file_size.to_bytes(4, "little")
            at = content.rindex(each.CRC.to_bytes(4, "little") + sizes)
            content[at : at + 4] = bytes(4)
        content[place] ^= damaged
        path.write_bytes(content)
        if damaged:
            assert f"is damaged ({entry})" in refusal(path)
        else:
            assert read_checkpoint(path).notes == (UNCHECKED,)


@pytest.mark.parametrize("packing", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_a_file_that_was_packed_again_is_read(
    path: Path, families: dict[str, State], tmp_path: Path, packing: int
) -> None:
    """Unpacked, looked at and zipped by hand: PyTorch cannot map what is compressed."""
    torch.save({"msd": families["msd"]}, tmp_path / "whole")
    with zipfile.ZipFile(tmp_path / "whole") as old, zipfile.ZipFile(path, "w", packing) as new:
        for entry in old.infolist():
            new.writestr(entry.filename, old.read(entry))
    expected = {key: number(tensor) for key, tensor in families["msd"].items()}
    assert numbers(read_checkpoint(path), "msd") == expected
