"""Options of engines, as Typer reads them."""

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

from export import options as opt
from export.option_groups import option
from hifigan_ref.errors import HifiError

if TYPE_CHECKING:
    from export.engine.library import Library
    from export.engine.optimisation import Asked
    from export.engine.request import EngineRequest


class RuntimeName(StrEnum):
    """What ``--runtime`` accepts."""

    auto = "auto"
    tensorrt = "tensorrt"
    rtx = "rtx"


@dataclass(frozen=True)
class EngineLengths(opt.Lengths):
    """Lengths that are fixed, and profiles of axes."""

    axis: list[str] | None = option(
        None,
        "Fix an axis, or say what the engine accepts: frames=1:32:860; repeatable.",
        metavar="NAME=LENGTH|MIN:OPT:MAX",
    )

    @property
    def profiles(self) -> list[str]:
        """Those that no length is fixed by."""
        return [text for text in self.axis or () if ":" in text]

    @property
    def fixed(self) -> opt.Lengths:
        """The others."""
        return opt.Lengths(self.samples, [text for text in self.axis or () if ":" not in text])


@dataclass(frozen=True)
class EngineForm(opt.Form):
    """How the graph of an engine is written: no search builds one."""

    precision: str = option(
        "fp32", "What layers compute in.", metavar="fp32|fp16|bf16|int8|PLAN.json"
    )


@dataclass(frozen=True)
class Profiles:
    """What an engine accepts; each field is an option."""

    min_batch: int | None = option(None, "Default 1.")
    opt_batch: int | None = option(None, "Default 16.")
    max_batch: int | None = option(None, "Default 32.")
    min_samples: int | None = option(None, "Default 2048.")
    opt_samples: int | None = option(None, "Default 8192.")
    max_samples: int | None = option(None, "Default 220500.")

    def beside(self, axes: list[str]) -> "dict[str, Asked]":
        """Profiles out of ``--axis NAME=MIN:OPT:MAX``, beside these.

        Raises:
            HifiError: one is written in another way, or told twice.
        """
        from export.engine.optimisation import NOTHING

        given: dict[str, Asked] = {
            "batch": (self.min_batch, self.opt_batch, self.max_batch),
            "samples": (self.min_samples, self.opt_samples, self.max_samples),
        }
        found = {name: each for name, each in given.items() if each != NOTHING}
        for text in axes:
            name, _, told = text.partition("=")
            ends = told.split(":")
            if not name or len(ends) != len(NOTHING) or not all(n.isdecimal() for n in ends if n):
                raise HifiError(
                    f"--axis {text}: write min, opt and max, as in --axis frames=1:32:860"
                )
            if name in found:
                raise HifiError(
                    f"--axis {text} and another profile for {name}: give one of the two"
                )
            least, best, most = (int(n) if n else None for n in ends)
            found[name] = (least, best, most)
        return found


@dataclass(frozen=True)
class Builder:
    """How an engine is built; each field is an option."""

    target: str = option("", "RTX: compute capabilities, as in sm86,sm89.")
    workspace: int | None = option(None, "Memory that a layer may use, MiB.")
    opt_level: int | None = option(None, "0 to 5: how long to search.")
    tf32: bool = option(False, "Let float32 products use TF32.")
    version_compatible: bool = option(False, "For later versions too (TensorRT).")
    hardware_compatible: bool = option(False, "For later GPUs too (TensorRT).")
    timing_cache: Path | None = option(None, "Timings to reuse (TensorRT).")

    def request(self, library: "Library") -> "EngineRequest":
        """Of an engine by a library. Raises HifiError for what it lacks or is out of range."""
        from export.engine.request import EngineRequest

        return EngineRequest(
            library.runtime,
            tuple(filter(None, self.target.lower().split(","))),
            self.workspace,
            self.opt_level,
            self.tf32,
            self.version_compatible,
            self.hardware_compatible,
            self.timing_cache,
        ).for_library(library)
