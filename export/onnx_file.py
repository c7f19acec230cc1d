"""The message of protobuf that an ONNX file is."""

from pathlib import Path
from typing import TYPE_CHECKING

from hifigan_ref.errors import HifiError

if TYPE_CHECKING:
    import onnx

MOST_BYTES = 2**31 - 1  # of one message


def check_size(path: Path, size: int) -> None:
    """Raises HifiError for a file of so many bytes that no message of protobuf has them."""
    if size > MOST_BYTES:
        raise HifiError(
            f"{path} has {size / 2**30:.1f} GiB, more than the 2 GiB of a protobuf message: save "
            "its weights as external data"
        )


def parse(path: Path, content: bytes) -> "onnx.ModelProto":
    """A file's message.

    Args:
        path: of the file.
        content: what it holds.

    Raises:
        HifiError: it is too large, truncated or no ONNX file.
    """
    import onnx
    from google.protobuf.message import DecodeError

    check_size(path, len(content))
    try:
        proto: onnx.ModelProto = onnx.ModelProto.FromString(content)
    except DecodeError:
        raise HifiError(f"{path} is truncated or no ONNX file: export it again") from None
    return proto
