"""Training checkpoints: every spelling gives its writer's network back, anything else one line."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from itertools import product
from pathlib import Path
from typing import Any
from zlib import crc32

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn.utils import spectral_norm, weight_norm

from hifigan_ref.checkpoint import read_checkpoint
from hifigan_ref.errors import HifiError
from hifigan_ref.mpd import MultiPeriodDiscriminator
from hifigan_ref.msd import MultiScaleDiscriminator
from hifigan_ref.norms import norm_of, set_norm
from hifigan_ref.trained import Conv, Trained, convolutions
from hifigan_ref.variant import Variant, all_variants, find_family

State = dict[str, Any]

TOLERANCE = 1e-5  # of the RMS of an output: 100 dB
CONTAINERS = {"zip": True, "legacy": False}
PREFIXES = ("", "module.")
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
    modules = {"mpd": MultiPeriodDiscriminator(), "msd": MultiScaleDiscriminator()}
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
        modules = {"mpd": MultiPeriodDiscriminator(), "msd": MultiScaleDiscriminator()}
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
        modules = {"mpd": MultiPeriodDiscriminator(), "msd": MultiScaleDiscriminator()}
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
    assert checkpoint.build(Variant(held, find_family(held).members[0]))


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
    torch.save({"generator": {"conv_pre.bias": torch.ones(3)}}, path)
    assert "generator's checkpoint (g_*)" in refusal(path)


@pytest.mark.parametrize(
    "content", [{"state_dict": {}, "epoch": 3}, {"model": torch.ones(2)}, {}, {1: 2}]
)
def test_a_foreign_dict_is_told_what_it_has(path: Path, content: State) -> None:
    torch.save(content, path)
    message = refusal(path)
    assert "has neither mpd nor msd" in message and "give a do_* file" in message
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
