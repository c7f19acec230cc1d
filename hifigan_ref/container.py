"""What kind of file stands where a checkpoint is expected, told by its bytes; none is unpacked."""

import os
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from hifigan_ref.errors import HifiError, in_one_line, shown

HEAD = 512  # bytes that tell every kind; those of a tar header
NAMED_AT_MOST = 3  # members of a foreign archive
CHUNK = 2**20
PICKLE = b"\x80"  # what begins every pickle since protocol 2
MAGIC = b"l\xfc\x9cF\xf9 j\xa8P\x19."  # the number that torch.save wrote first before PyTorch 1.6
SAFETENSORS_SUFFIX = ".safetensors"
_UNPACK = "unpack it and give the do_* file in it"
_GIVE = "give a do_* file, which holds state dicts"
_WEB_PAGE = "is a web page, or a server's answer, and not the file: download that again"
UNKNOWN = "is damaged or no PyTorch file: give an undamaged do_* file"

# How other files begin -> what they are, and what to do. All of them were given as checkpoints.
_FOREIGN: tuple[tuple[bytes, str], ...] = (
    (b"\x1f\x8b", f"is a gzip file: {_UNPACK}"),
    (b"BZh", f"is a bzip2 file: {_UNPACK}"),
    (b"\xfd7zXZ\0", f"is an xz file: {_UNPACK}"),
    (b"\x28\xb5\x2f\xfd", f"is a zstd file: {_UNPACK}"),
    (b"7z\xbc\xaf\x27\x1c", f"is a 7z archive: {_UNPACK}"),
    (b"Rar!", f"is a rar archive: {_UNPACK}"),
    (b"\x89HDF", f"is an HDF5 file: {_GIVE}"),
    (b"GGUF", f"is a GGUF file: {_GIVE}"),
    (b"\x93NUMPY", f"is a NumPy array: {_GIVE}"),
    (b"version https://git-lfs", "is a Git LFS pointer, not the file itself: run git lfs pull"),
    *((start, _WEB_PAGE) for start in (b"<!doctype", b"<html", b"<?xml")),
)

_TAR_MAY_BE_IN = (b"\x1f\x8b", b"BZh", b"\xfd7zXZ\0")

Container = Literal["zip", "legacy", "safetensors"]


@dataclass(frozen=True)
class Archive:
    """How PyTorch's zip file keeps its entries.

    Attributes:
        stored: whether all lie uncompressed, so that they can be mapped into memory.
        checked: whether all have a checksum; PyTorch can leave them out.
    """

    stored: bool
    checked: bool


def is_known(head: bytes) -> bool:
    """Whether a file that begins like this is a checkpoint, or one of the files taken for one."""
    own = head.startswith((b"PK", PICKLE)) or _is_safetensors(head)
    return own or _is_tar(head) or bool(_foreign(head))


def container_of(path: Path) -> Container:
    """Which of the containers that are read this file is.

    Raises:
        HifiError: it is no file, or another kind of file; the message says which.
    """
    if not os.path.isfile(path):  # noqa: PTH113 - says no to a name that is too long as well
        raise HifiError(f"checkpoint {path} is not a file: give the path of a do_* file")
    try:
        with path.open("rb") as file:
            head = file.read(HEAD)
    except OSError as error:
        raise HifiError(
            f"checkpoint {path} cannot be read ({error.strerror}): give the path of a do_* file"
        ) from None
    if head.startswith(b"PK\x03\x04"):
        return "zip"
    if head.startswith(PICKLE):
        if MAGIC not in head[:64]:
            raise HifiError(
                f"checkpoint {path} is damaged, or a pickle that torch.save did not write: "
                "save state dicts with torch.save"
            )
        return "legacy"
    if _is_safetensors(head) or path.suffix == SAFETENSORS_SUFFIX:
        return "safetensors"
    raise HifiError(f"checkpoint {path} {_tar(path, head) or _foreign(head) or UNKNOWN}")


def check_archive(path: Path) -> Archive:
    """Look at every checksum of a zip file; PyTorch does not.

    Raises:
        HifiError: a checksum does not fit, the file is cut or encrypted, or PyTorch's torch.save
            did not write it.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            entries = [entry for entry in archive.infolist() if not entry.is_dir()]
            foreign = _foreign_archive([entry.filename for entry in entries])
            damaged = None if foreign else next(_damaged(archive, entries), None)
    except (zipfile.BadZipFile, zlib.error, OSError, EOFError, ValueError, RuntimeError) as error:
        # The last is raised for an entry that is encrypted or packed in an unknown way.
        foreign, damaged = "", in_one_line(error)
    if foreign:
        raise HifiError(f"checkpoint {path} {foreign}")
    if damaged is not None:
        raise HifiError(f"checkpoint {path} is damaged ({shown(damaged)}): copy it again")
    return Archive(
        all(entry.compress_type == zipfile.ZIP_STORED for entry in entries),
        all(entry.CRC or not entry.file_size for entry in entries),
    )


def _damaged(archive: zipfile.ZipFile, entries: list[zipfile.ZipInfo]) -> Iterator[str]:
    """Names of entries whose content does not fit their checksum.

    A checksum of 0 is none: it is what PyTorch writes with ``compute_crc32 = False``, and that of
    one content in four billion.
    """
    for entry in entries:
        try:
            with archive.open(entry) as content:  # which compares the two headers of the entry
                while entry.CRC and content.read(CHUNK):
                    pass
        except zipfile.BadZipFile:
            yield entry.filename


def _foreign_archive(names: list[str]) -> str:
    """What a zip file is that holds no ``data.pkl`` of torch.save's, or "" where it does."""
    inside = [name.partition("/")[2] for name in names]
    if "constants.pkl" in inside:
        return f"is a TorchScript archive (torch.jit.save), a program: {_GIVE}"
    if "data.pkl" in inside:
        return ""
    if "archive_format" in inside or "serialized_exported_program.json" in names:
        return f"is a torch.export archive, a program: {_GIVE}"
    if names and all(name.endswith(".npy") for name in names):
        return f"is a NumPy archive (.npz): {_GIVE}"
    return f"is a zip archive {_around(names)}: {_UNPACK}"


def _around(names: list[str]) -> str:
    own = [name for name in names if not name.startswith("__MACOSX/")]
    named = ", ".join(map(shown, own[:NAMED_AT_MOST])) or "nothing"
    return f"around {named}{' and more' if len(own) > NAMED_AT_MOST else ''}"


def _tar(path: Path, head: bytes) -> str:
    """What a tar archive is and what to do, or "" for another file."""
    if not _is_tar(head):
        packed = head.startswith(_TAR_MAY_BE_IN) and tarfile.is_tarfile(path)
        return f"is a compressed tar archive: {_UNPACK}" if packed else ""
    names: list[str] = []
    # A cut one has said what it is nevertheless.
    with suppress(tarfile.TarError, OSError, ValueError), tarfile.open(path, "r:") as archive:
        for member in archive:
            names += [member.name] if member.isfile() else []
            if len(names) > NAMED_AT_MOST:
                break
    return f"is a tar archive {_around(names)}: {_UNPACK}"


def _is_tar(head: bytes) -> bool:
    return head[257:262] == b"ustar"


def _foreign(head: bytes) -> str:
    """What a file of another kind is and what to do, or ""."""
    bare = head.lstrip(b"\xef\xbb\xbf \t\r\n").lower()  # of a text
    found = (told for start, told in _FOREIGN if head.startswith(start) or bare.startswith(start))
    return next(found, "")


def _is_safetensors(head: bytes) -> bool:
    """The length of a header in eight bytes, then the header, a JSON object."""
    return head[8:9] == b"{" and int.from_bytes(head[:8], "little") < 10**9
