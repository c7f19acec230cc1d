"""Options of the command lines that several commands share, as Typer reads them."""

from collections.abc import Iterable
from dataclasses import dataclass, fields
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from export.option_groups import option
from export.selection import Changes, Networks
from hifigan_ref.errors import HifiError
from hifigan_ref.source import Source
from hifigan_ref.variant import Variant
from hifigan_ref.version import VERSION
from hifigan_ref.views import View

if TYPE_CHECKING:
    from export.choice import Wish

Value = TypeVar("Value")
MIXED = "mixed"  # a value of --precision


class OutputsOption(StrEnum):
    """What ``--outputs`` accepts."""

    all = "all"
    scores = "scores"


class IoTypes(StrEnum):
    """What ``--io-types`` accepts."""

    float32 = "float32"
    same = "same"


def show_version(asked: bool) -> None:
    """Print the version and end, if it was asked for."""
    if asked:
        typer.echo(VERSION)
        raise typer.Exit


def typed(context: typer.Context, names: Iterable[str]) -> list[str]:
    """Those of some options that stand on the command line, as they are written there."""
    sources = {name: context.get_parameter_source(name) for name in names}
    return [
        f"--{name.replace('_', '-')}"
        for name, source in sources.items()
        if source is not None and source.name == "COMMANDLINE"
    ]


def one_source(context: typer.Context, value: Value) -> Value:
    """Called for each; raises HifiError at the second of the two."""
    if len(typed(context, ("checkpoint", "seed"))) > 1:
        raise HifiError("--checkpoint and --seed: weights come from one of the two, give that")
    return value


@dataclass(frozen=True)
class Weights:
    """Where weights come from; each field is an option."""

    checkpoint: Path | None = option(
        None,
        "A training checkpoint, or a state dict of your module; no code of it runs.",
        "--checkpoint",
        "--weights",
        metavar="FILE",
        callback=one_source,
    )
    seed: int = option(0, "Seed of the weights without a checkpoint.", callback=one_source)

    def of(self, variants: tuple[Variant, ...]) -> Source:
        """Those of some networks."""
        return Source.of(variants, self.checkpoint, self.seed)


def tell_notes(source: Source) -> None:
    """Say on standard error what a user must know of a checkpoint that was read."""
    for note in source.notes:
        typer.echo(f"note: {source.origin}: {note}", err=True)


@dataclass(frozen=True)
class Lengths:
    """Lengths that are fixed; each field is an option."""

    samples: int | None = option(None, "Fix T.")
    axis: list[str] | None = option(
        None, "Fix an axis: samples=8192; repeatable.", metavar="NAME=LENGTH"
    )

    def sizes(self, batch: int | None = None) -> dict[str, int]:
        """Of each axis, and the batch. Raises HifiError for what is no length of an axis."""
        given = {"batch": batch, "samples": self.samples}
        found = {name: length for name, length in given.items() if length is not None}
        for name, length in map(axis_length, self.axis or ()):
            if found.get(name, length) != length:
                raise HifiError(
                    f"--axis {name}={length} and --{name} {found[name]}: give one of the two"
                )
            found[name] = length
        return found


def axis_length(text: str) -> tuple[str, int]:
    """What ``--axis`` says of one axis. Raises HifiError for what is no length."""
    name, _, length = text.partition("=")
    if not name or not length.lstrip("-").isdecimal():
        raise HifiError(f"--axis {text}: write a name and a length, as in --axis samples=8192")
    return name, int(length)


@dataclass(frozen=True)
class Outputs:
    """How a network is seen; each field is an option."""

    outputs: OutputsOption = option(OutputsOption.all, "Scores alone, or feature maps too.")
    pair: bool = option(False, "Real and generated waveform in one pass.")

    @property
    def views(self) -> tuple[View, ...]:
        """Those that are named."""
        from export.request import views_of

        return views_of(self.outputs.value, self.pair)


@dataclass(frozen=True)
class Form:
    """How a graph is written, and in what it computes; each field is an option."""

    lowering: str = option("none", "Exact rewrites.", metavar="none|default|PLAN")
    precision: str = option(
        "fp32", "What layers compute in.", metavar="fp32|fp16|bf16|int8|mixed|PLAN.json"
    )
    min_snr: float | None = option(None, "Least SNR, dB; else the precision's own.", metavar="DB")
    io_types: IoTypes = option(IoTypes.float32, "Of inputs and outputs: as the layers, or float32.")
    calibration: list[Path] | None = option(
        None, "Speech for the ranges of int8; repeatable.", metavar="FILE|DIR"
    )

    def wish(self, backend: str | None) -> "Wish":
        """The same, for a backend or for any."""
        from export.choice import Wish

        files = self.calibration or ()
        return Wish(self.lowering, self.precision, self.io_types.value, files, backend)


@dataclass(frozen=True)
class Made:
    """What the files are for and where they go; each field is an option."""

    target: str | None = option(
        None, "Runtime to verify in too, with its lowering and int8.", "--for", metavar="BACKEND"
    )
    chunk: int | None = option(
        None, "Compute so many frames of a signal at a time, exactly as the whole."
    )
    context: str | None = option(
        None, "Frames around a chunk, fewer than it needs; with --min-snr.", metavar="L,R"
    )
    stateful: bool = option(False, "Chunks that take over from one another; with --chunk.")
    out: Path = option(Path("artifacts"), "A folder, or a single file's name in .onnx.")


def refuse_beside(file: Path, context: typer.Context, but: Iterable[str] = ()) -> None:
    """Raises HifiError for an option that a file leaves nothing to decide for."""
    groups = (Networks, Changes, Weights, Lengths, Outputs, Form)
    decided = ("opset", "batch", *(each.name for group in groups for each in fields(group)), "out")
    told = typed(context, [name for name in decided if name not in but])
    if told:
        raise HifiError(f"{file} and {', '.join(told)}: give one of the two")


Version = Annotated[
    bool,
    typer.Option("--version", help="Print the version.", callback=show_version, is_eager=True),
]
Opset = Annotated[int, typer.Option("--opset", help="Exactly this opset, 11 to 26.")]
Batch = Annotated[int | None, typer.Option("--batch", help="Fix N.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON and nothing else.")]
AnyFile = Annotated[Path, typer.Argument(help="An .onnx file, an engine or a checkpoint.")]
