"""TensorRT and TensorRT for RTX: one Python API, whichever library is there."""

import importlib
from dataclasses import dataclass
from typing import Any, Literal

from export.optional import why_missing as why_not_importable
from hifigan_ref.errors import HifiError

Runtime = Literal["tensorrt", "rtx"]
RuntimeChoice = Literal["auto", "tensorrt", "rtx"]
CHOICES: tuple[RuntimeChoice, ...] = ("auto", "tensorrt", "rtx")
OLDEST = (10, 12)  # of TensorRT: the first whose API has what is used here


@dataclass(frozen=True)
class Product:
    """A library as it is sold.

    Attributes:
        runtime: its name here.
        title: its name there.
        module: what is imported.
        command: what installs it.
    """

    runtime: Runtime
    title: str
    module: str
    command: str


PRODUCTS: tuple[Product, ...] = (
    Product("tensorrt", "TensorRT", "tensorrt", "pip install tensorrt"),
    Product("rtx", "TensorRT for RTX", "tensorrt_rtx", "pip install tensorrt-rtx-cu13"),
)


@dataclass(frozen=True)
class Library:
    """A library that was imported.

    Attributes:
        product: which.
        module: its Python module.
        version: as it says itself.
    """

    product: Product
    module: Any
    version: str

    @property
    def runtime(self) -> Runtime:
        """``tensorrt`` or ``rtx``."""
        return self.product.runtime

    def __str__(self) -> str:
        return f"{self.product.title} {self.version}"


def why_missing(choice: RuntimeChoice) -> str | None:
    """Why no such library can be used here and what to install, or None."""
    try:
        find_library(choice)
    except HifiError as error:
        return str(error)
    return None


def find_library(choice: RuntimeChoice = "auto") -> Library:
    """The library asked for; ``auto`` takes TensorRT where it can be imported, else the other.

    Raises:
        HifiError: not installed, or too old.
    """
    if choice not in CHOICES:
        raise HifiError(f"runtime {choice!r}: choose from {', '.join(CHOICES)}")
    wanted = [product for product in PRODUCTS if choice in ("auto", product.runtime)]
    reasons = []
    for product in wanted:
        reason = why_not_importable(product.module, product.command)
        if reason is None:
            return _import(product)
        reasons.append(reason)
    raise HifiError("; ".join(reasons))


def _import(product: Product) -> Library:
    module = importlib.import_module(product.module)
    version = str(module.__version__)
    if product.runtime == "tensorrt":
        numbers = tuple(int(part) for part in version.split(".")[:2])
        if numbers < OLDEST:
            oldest = ".".join(map(str, OLDEST))
            raise HifiError(f"TensorRT {version} is too old: install {oldest} or later")
    return Library(product, module, version)
