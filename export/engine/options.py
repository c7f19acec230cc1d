"""Options of engines, as Typer reads them."""

from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hifigan_ref.errors import HifiError

if TYPE_CHECKING:
    from export.engine.optimisation import Asked


class RuntimeName(StrEnum):
    """What ``--runtime`` accepts."""

    auto = "auto"
    tensorrt = "tensorrt"
    rtx = "rtx"


def profiles_of(axes: list[str] | None, given: "Mapping[str, Asked]") -> "dict[str, Asked]":
    """Profiles of engines out of ``--axis NAME=MIN:OPT:MAX``, beside those of other options.

    Raises:
        HifiError: one is written in another way, or told twice.
    """
    from export.engine.optimisation import NOTHING

    found = {name: each for name, each in given.items() if each != NOTHING}
    for text in axes or ():
        name, _, told = text.partition("=")
        lengths = told.split(":")
        if not name or len(lengths) != len(NOTHING) or not all(n.isdecimal() for n in lengths if n):
            raise HifiError(f"--axis {text}: write min, opt and max, as in --axis frames=1:32:860")
        if name in found:
            raise HifiError(f"--axis {text} and another profile for {name}: give one of the two")
        least, best, most = (int(n) if n else None for n in lengths)
        found[name] = (least, best, most)
    return found


RuntimeOption = Annotated[
    RuntimeName, typer.Option("--runtime", help="auto: TensorRT where it is installed.")
]
MinBatch = Annotated[int | None, typer.Option("--min-batch", help="Default 1.")]
OptBatch = Annotated[int | None, typer.Option("--opt-batch", help="Default 16.")]
MaxBatch = Annotated[int | None, typer.Option("--max-batch", help="Default 32.")]
MinSamples = Annotated[int | None, typer.Option("--min-samples", help="Default 2048.")]
OptSamples = Annotated[int | None, typer.Option("--opt-samples", help="Default 8192.")]
MaxSamples = Annotated[int | None, typer.Option("--max-samples", help="Default 220500.")]
Target = Annotated[
    str, typer.Option("--target", help="RTX: compute capabilities, as in sm86,sm89.")
]
Workspace = Annotated[
    int | None, typer.Option("--workspace", help="Memory that a layer may use, MiB.")
]
OptLevel = Annotated[int | None, typer.Option("--opt-level", help="0 to 5: how long to search.")]
Tf32 = Annotated[bool, typer.Option("--tf32", help="Let float32 products use TF32.")]
VersionCompatible = Annotated[
    bool, typer.Option("--version-compatible", help="For later versions too (TensorRT).")
]
HardwareCompatible = Annotated[
    bool, typer.Option("--hardware-compatible", help="For later GPUs too (TensorRT).")
]
TimingCache = Annotated[
    Path | None, typer.Option("--timing-cache", help="Timings to reuse (TensorRT).")
]
