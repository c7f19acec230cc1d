"""What stands where a checkpoint is expected: other files are called by their names."""

import bz2
import gzip
import io
import json
import lzma
import struct
import tarfile
import warnings
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from zlib import crc32

import numpy as np
import pytest
import torch
from torch import nn

from export.describe import describe
from hifigan_ref.checkpoint import read_checkpoint
from hifigan_ref.errors import HifiError
from hifigan_ref.msd import MultiScaleDiscriminator
from hifigan_ref.networks.msd import SCALES
from hifigan_ref.state_dict import Layer
from hifigan_ref.variant import Variant

Header = dict[str, Any]


@pytest.fixture
def path(tmp_path: Path) -> Iterator[Path]:
    """Where to write a file, which pytest would keep."""
    path = tmp_path / "do_00000007"
    yield path
    path.unlink(missing_ok=True)


def refusal(path: Path) -> str:
    """The one line that refuses a file, the same for whoever exports and whoever looks."""
    messages = set()
    for reader in (read_checkpoint, describe):
        with pytest.raises(HifiError) as caught:
            reader(path)
        messages.add(str(caught.value))
    (message,) = messages
    assert str(path) in message
    assert message.isprintable() and len(message) < 1000
    return message


# ------------------------------------------------------------------------------------ other files


def checkpoint() -> bytes:
    """A few tensors as torch.save writes them."""
    file = io.BytesIO()
    torch.save({"mpd": {"x": torch.ones(3)}}, file)
    return file.getvalue()


def zipped(*names: str) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name in names:
            archive.writestr(name, b"" if name.endswith("/") else checkpoint())
    return file.getvalue()


def tarred(*names: str, mode: Any = "w") -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode=mode) as archive:
        folder = tarfile.TarInfo("./")
        folder.type = tarfile.DIRTYPE
        archive.addfile(folder)
        for name in names:
            member = tarfile.TarInfo(name)
            member.size = len(checkpoint())
            archive.addfile(member, io.BytesIO(checkpoint()))
    return file.getvalue()


def script() -> bytes:
    file = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        torch.jit.save(torch.jit.script(nn.Conv1d(1, 2, 3)), file)
    return file.getvalue()


def arrays() -> bytes:
    file = io.BytesIO()
    np.savez(file, mpd=np.ones(3))
    return file.getvalue()


UNPACK = "unpack it and give the do_* file in it"
OTHERS: dict[str, tuple[Callable[[], bytes], str]] = {
    "zip": (lambda: zipped("do_x"), f"is a zip archive around do_x: {UNPACK}"),
    "folder in zip": (
        lambda: zipped("cp/", "cp/do_x", "cp/g_x", "__MACOSX/cp/._do_x"),
        f"is a zip archive around cp/do_x, cp/g_x: {UNPACK}",
    ),
    "much in zip": (lambda: zipped(*"abcde"), "is a zip archive around a, b, c and more: "),
    "nothing in zip": (lambda: zipped("cp/"), "is a zip archive around nothing: "),
    "tar": (lambda: tarred("./w.ckpt"), f"is a tar archive around ./w.ckpt: {UNPACK}"),
    "much in tar": (lambda: tarred(*"abcde"), "is a tar archive around a, b, c and more: "),
    "cut tar": (lambda: tarred("w.ckpt")[:700], "is a tar archive around nothing: "),
    "tar.gz": (lambda: tarred("w.ckpt", mode="w:gz"), f"is a compressed tar archive: {UNPACK}"),
    "tar.xz": (lambda: tarred("w.ckpt", mode="w:xz"), f"is a compressed tar archive: {UNPACK}"),
    "gzip": (lambda: gzip.compress(checkpoint()), f"is a gzip file: {UNPACK}"),
    "bzip2": (lambda: bz2.compress(checkpoint()), f"is a bzip2 file: {UNPACK}"),
    "xz": (lambda: lzma.compress(checkpoint()), f"is an xz file: {UNPACK}"),
    "script": (script, "is a TorchScript archive"),
    "arrays": (arrays, "is a NumPy archive (.npz)"),
    "web page": (lambda: b"\n<!DOCTYPE html><html>quota exceeded</html>", "is a web page"),
    "answer": (lambda: b"\xef\xbb\xbf<HTML>", "is a web page"),
    "pointer": (
        lambda: b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n",
        "is a Git LFS pointer, not the file itself: run git lfs pull",
    ),
}


@pytest.mark.parametrize("name", OTHERS)
def test_another_file_is_called_by_its_name(path: Path, name: str) -> None:
    make, told = OTHERS[name]
    path.write_bytes(make())
    assert f"checkpoint {path} {told}" in refusal(path)


def test_names_in_an_archive_do_not_write_on_the_terminal(path: Path) -> None:
    path.write_bytes(zipped("line\nbreak", "\x1b[31mred", "x" * 10_000))
    refusal(path)
    path.write_bytes(tarred("line\nbreak", "\x1b[31mred", "x" * 10_000))
    refusal(path)


def test_an_encrypted_archive_is_refused(path: Path) -> None:
    content = bytearray(zipped("a/data.pkl"))
    for at, offset in ((content.index(b"PK\x03\x04"), 6), (content.rindex(b"PK\x01\x02"), 8)):
        content[at + offset] |= 1
    path.write_bytes(content)
    assert "is damaged (" in refusal(path) and "is encrypted" in refusal(path)


# ------------------------------------------------------------------------------------ safetensors


def mark(key: str) -> float:
    """A number of a key's own."""
    return 1.0 + crc32(key.encode()) % 2**20


def lay_out(tensors: dict[str, tuple[int, ...]], dtype: str = "F32") -> Header:
    """The header of a file."""
    header: Header = {}
    end = 0
    for name, shape in tensors.items():
        start, end = end, end + int(np.prod(shape)) * (4 if dtype == "F32" else 2)
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [start, end]}
    return header


def write(path: Path, header: Header | bytes, size: int, tell: Callable[[str], str] = str) -> None:
    """The format by its specification; of the numbers only the first of a tensor is not zero."""
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    with path.open("wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        file.truncate(8 + len(text) + size)  # a file with holes: the networks have 280 MB
        for name, tensor in header.items() if isinstance(header, dict) else ():
            if name != "__metadata__":
                file.seek(8 + len(text) + tensor["data_offsets"][0])
                file.write(struct.pack("<f", mark(tell(name))))


def flat(names: Callable[[str], str]) -> tuple[Header, int]:
    """Of an msd: the header, its keys as given, and the size of the numbers."""
    with torch.device("meta"):
        state = MultiScaleDiscriminator(SCALES).state_dict()
    header = lay_out({names(key): tuple(tensor.shape) for key, tensor in state.items()})
    return header, max(tensor["data_offsets"][1] for tensor in header.values())


def firsts(layers: dict[str, Layer]) -> dict[str, float]:
    """The first number of each tensor, by key."""
    return {
        f"{at}.{name}": tensor.flatten()[0].item()
        for at, layer in layers.items()
        for name, tensor in layer.tensors.items()
    }


@pytest.mark.parametrize(
    ("front", "prefix"),
    [
        ("msd.", ""),
        ("module.msd.", "module."),
        ("msd.module._orig_mod.", "module._orig_mod."),
        ("_orig_mod.msd.module.", "_orig_mod.module."),
    ],
)
def test_safetensors_are_read(path: Path, front: str, prefix: str) -> None:
    header, size = flat(lambda key: f"{front}{key}")
    header["__metadata__"] = {"format": "pt"}
    write(path, header, size, lambda name: name.removeprefix(front))
    found = read_checkpoint(path)
    assert (found.container, found.prefixes, found.notes) == ("safetensors", {"msd": prefix}, ())
    told = firsts(found.families["msd"])  # type: ignore[arg-type]
    assert told == {key: mark(key) for key in told}
    assert set(told) == {name.removeprefix(front) for name in header if name != "__metadata__"}
    assert found.build(Variant("msd", "1")).origin == path.name
    seen = describe(path)
    assert seen.container == "safetensors"  # type: ignore[union-attr]


def test_safetensors_are_read_strictly(path: Path) -> None:
    header, size = flat("msd.{}".format)
    more = {
        name: {"dtype": "F32", "shape": [1], "data_offsets": [at, at + 4]}
        for name, at in (("msd.strange", size), ("msd", size + 4), ("msd_ema.x", size + 8))
    }
    write(path, header | more, size + 12)
    message = refusal(path)
    assert "msd: extra ; extra strange: " in message


def test_a_key_that_is_there_twice_is_refused(path: Path) -> None:
    """Once with the wrapper in front of the family and once behind it."""
    header, size = flat("module.msd.{}".format)
    key = "msd.module.discriminators.0.convs.0.bias"
    header[key] = {"dtype": "F32", "shape": [128], "data_offsets": [size, size + 512]}
    write(path, header, size + 512)
    assert "msd: missing " in refusal(path)


def test_another_layout_of_safetensors_is_told(path: Path) -> None:
    write(path, lay_out({"discriminators.0.convs.0.bias": (3,)}), 12)
    assert "holds a discriminator in its top level (keys like discriminators.0.convs" in refusal(
        path
    )
    write(path, lay_out({"conv_pre.bias": (3,), "ups.0.bias": (3,)}), 24)
    assert "holds no network that a layout names (it has conv_pre.bias, ups.0.bias)" in refusal(
        path
    )


def test_averaged_weights_in_safetensors_are_told(path: Path) -> None:
    header, size = flat("msd.{}".format)
    header["msd_ema.x"] = {"dtype": "F32", "shape": [1], "data_offsets": [size, size + 4]}
    write(path, header, size + 4)
    assert read_checkpoint(path).notes[0].startswith("msd_ema: averaged weights (EMA)")


@pytest.mark.parametrize("dtype", ["BF16", "F16", "I16"])
def test_numbers_of_16_bits_in_safetensors(path: Path, dtype: str) -> None:
    with torch.device("meta"):
        state = MultiScaleDiscriminator(SCALES).state_dict()
    header = lay_out({f"msd.{key}": tuple(each.shape) for key, each in state.items()}, dtype)
    size = max(each["data_offsets"][1] for each in header.values())
    write(path, json.dumps(header).encode(), size)
    if dtype == "I16":
        assert "discriminators.0.convs.0.bias is not a dense tensor of 16, 32" in refusal(path)
    else:
        held = read_checkpoint(path).families["msd"]["discriminators.2.conv_post"].tensors
        assert {each.element_size() for each in held.values()} == {2}


def tensor(start: int, end: int, shape: tuple[int, ...] = (1,), dtype: str = "F32") -> Header:
    return {"dtype": dtype, "shape": shape, "data_offsets": [start, end]}


@pytest.mark.parametrize(
    ("header", "size"),
    [
        ({"mpd.x": tensor(0, 4)}, 8),
        ({"mpd.x": tensor(0, 4)}, 3),
        ({"mpd.x": tensor(4, 8)}, 8),
        ({"mpd.x": tensor(0, 4), "mpd.y": tensor(0, 8, (2,))}, 8),
        ({"mpd.x": tensor(0, 4), "mpd.y": tensor(8, 12)}, 12),
        ({"mpd.x": tensor(0, 8)}, 8),
        ({"mpd.x": tensor(0, 8, (2**62, 8))}, 8),
        ({"mpd.x": tensor(0, 4, (-1,))}, 4),
        ({"mpd.x": tensor(0, 4, dtype="F33")}, 4),
        ({"mpd.x": 5}, 4),
        (b"{}junk", 0),
        (b'{"mpd.x":' + b"[" * 10_000, 0),
        (b"{" * 5, 0),
        (b'{"a":\xff}', 0),
    ],
)
def test_damaged_safetensors_are_refused(path: Path, header: Header | bytes, size: int) -> None:
    write(path, header if isinstance(header, bytes) else json.dumps(header).encode(), size)
    assert "is damaged or no safetensors file (" in refusal(path)


def test_cut_safetensors_are_refused(path: Path) -> None:
    write(path, lay_out({"mpd.x": (30,), "mpd.y": (5,)}), 140)
    content = path.read_bytes()
    for length in range(len(content)):
        path.write_bytes(content[:length])
        with pytest.raises(HifiError) as caught:
            read_checkpoint(path)
        assert "damaged" in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize("content", [b"", b"{}", b"no tensors", struct.pack("<Q", 2**62) + b"{}"])
def test_the_ending_says_what_a_file_should_be(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "do_1.safetensors"
    path.write_bytes(content)
    assert "is damaged or no safetensors file (" in refusal(path)
