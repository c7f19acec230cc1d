"""PyTorch's arithmetic on a GPU, which is the process's: set, told, put back."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager

from bench.gpu import WORDS


@contextmanager
def numerics(tf32: bool, benchmark: bool) -> Iterator[None]:
    """Whether convolutions and matrix products may use TF32, and cuDNN try its algorithms."""
    import torch

    convolutions = _convolutions_in_tf32()
    products = "high" if _products_in_tf32() else "highest"
    before = torch.backends.cudnn.benchmark
    try:
        _set(tf32, "high" if tf32 else "highest", benchmark)
        yield
    finally:
        _set(convolutions, products, before)


def told() -> dict[str, str]:
    """What holds now, ``on`` or ``off``."""
    import torch

    return {
        "tf32": WORDS[_convolutions_in_tf32()],
        "tf32_matrix_products": WORDS[_products_in_tf32()],
        "cudnn_benchmark": WORDS[torch.backends.cudnn.benchmark],
    }


def _convolutions_in_tf32() -> bool:
    import torch

    precision: str = torch.backends.cudnn.conv.fp32_precision  # type: ignore[attr-defined]
    return precision == "tf32"


def _products_in_tf32() -> bool:
    import torch

    return bool(torch.backends.cuda.matmul.fp32_precision == "tf32")


def _set(convolutions: bool, products: str, benchmark: bool) -> None:
    """By the older names, which set the newer ones too.

    Parts of ``torch.compile`` read the older names, and they raise where only the newer were set.
    """
    import torch

    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Please use the new API settings")
        torch.backends.cudnn.allow_tf32 = convolutions
        torch.set_float32_matmul_precision(products)
    torch.backends.cudnn.benchmark = benchmark
