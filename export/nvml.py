"""The NVIDIA driver, asked through its management library and let go again."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from export.optional import why_missing
from hifigan_ref.errors import HifiError


class DriverError(HifiError):
    """No driver answers, or it does not tell what it was asked."""


@contextmanager
def driver() -> Iterator[Any]:
    """``pynvml``, for as long as it may be asked.

    Raises:
        DriverError: also where a question within is refused.
    """
    missing = why_missing("pynvml", "pip install nvidia-ml-py")
    if missing is not None:
        raise DriverError(missing)
    import pynvml

    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError as error:
        raise DriverError(f"no NVIDIA driver answers ({error})") from None
    try:
        yield pynvml
    except pynvml.NVMLError as error:
        raise DriverError(f"the NVIDIA driver does not tell ({error})") from None
    finally:
        pynvml.nvmlShutdown()
