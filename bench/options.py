"""Options of ``hifi-bench``, as Typer reads them."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from export import options as opt
from export.option_groups import option
from hifigan_ref.errors import HifiError

if TYPE_CHECKING:
    from hifigan_ref.audio import Recording


def refuse_before(context: typer.Context) -> None:
    """Raises HifiError for an option of a measurement that stands before another command."""
    told = opt.typed(context, context.params)
    if told:
        command = context.invoked_subcommand
        raise HifiError(
            f"{', '.join(told)} before {command} would have no effect: "
            f"write what {command} takes behind it"
        )


def batches_of(batches: list[int] | None, sizes: dict[str, int]) -> tuple[int, ...]:
    """Batches to measure; one that was said as an axis leaves the sizes. Raises HifiError."""
    axis = sizes.pop("batch", None)
    if batches and axis is not None:
        raise HifiError(f"--axis batch={axis} and --batch: give one of the two")
    return tuple(dict.fromkeys(batches or (axis if axis is not None else 1,)))


def threads_of(threads: int | None) -> int:
    """Of a CPU runtime: as asked, or the physical cores that may be used."""
    from bench.machine.survey import usable_cores

    return usable_cores() if threads is None else threads


def recording_of(wav: Path | None) -> "Recording":
    """Of waveforms: a file's, or the shipped clip. Raises HifiError as ``read_wav``."""
    from hifigan_ref import audio

    return audio.read_wav(wav) if wav else audio.speech()


@dataclass(frozen=True)
class Lengths(opt.Lengths):
    """Lengths of axes; each field is an option."""

    samples: int | None = option(None, "T; default: 8192, or as the network is used.")


MinSnr = Annotated[
    float | None,
    typer.Option("--min-snr", help="Least SNR, dB; default: what each precision promises."),
]
Threads = Annotated[
    int | None, typer.Option("--threads", help="Default: physical cores that may be used.")
]
Wav = Annotated[Path | None, typer.Option("--wav", help="Mono audio; default: a shipped clip.")]
Out = Annotated[Path, typer.Option("--out", help="Folder of the report.")]
Limit = Annotated[float, typer.Option("--limit", help="Seconds of sampling per row, at most.")]
Resume = Annotated[bool, typer.Option("--resume", help="Go on with an interrupted run in --out.")]
Earlier = Annotated[
    Path, typer.Argument(help="The --out folder of an earlier run, or its report.json.")
]


@dataclass(frozen=True)
class Rows:
    """What is measured on each network; each field is an option."""

    backend: list[str] | None = option(None, "Repeatable; default: every one that can run here.")
    precision: list[str] | None = option(
        None, "Of every backend; repeatable.", metavar="fp32|tf32|fp16|bf16|int8|PLAN"
    )
    batch: list[int] | None = option(None, "N; repeatable.")


@dataclass(frozen=True)
class Measuring:
    """How rows are measured; each field is an option."""

    threads: Threads = None
    wav: Wav = None
    out: Out = Path("reports")
    limit: Limit = 10.0
    rounds: int = option(5, "In which backends take turns, in random order.")
    timeout: float = option(600.0, "Seconds until a cell that does not answer ends.")
    layers: bool = option(False, "Time each layer too, where it can be.")
    min_snr: MinSnr = None
    resume: Resume = False


# of a sweep
SweepFile = Annotated[Path, typer.Argument(help="The matrix, in TOML.")]
DryRun = Annotated[
    bool, typer.Option("--dry-run", help="Show every cell and about how long; run nothing.")
]

# of a comparison
Before = Annotated[
    Path, typer.Argument(metavar="A", help="An --out folder or its report.json: the old one.")
]
After = Annotated[Path, typer.Argument(metavar="B", help="The new one.")]


@dataclass(frozen=True)
class Verdict:
    """When two rows differ; each field is an option."""

    threshold: float = option(2.0, "Per cent of change that does not matter.")
    across_machines: bool = option(False, "Compare although the machines differ.")


# of a parity report
SaveWav = Annotated[
    Path | None,
    typer.Option(
        "--save-wav",
        help="Write the audio that a network makes: PyTorch's in float64, the runtime's.",
        metavar="DIR",
    ),
]


@dataclass(frozen=True)
class ManyLengths:
    """Lengths to run; each field is an option."""

    samples: list[int] | None = option(
        None, "T; repeatable; default: every residue, short and ordinary."
    )
    axis: list[str] | None = option(
        None, "Run an axis at this length: frames=64; repeatable.", metavar="NAME=LENGTH"
    )

    def each(self) -> dict[str, tuple[int, ...]]:
        """Of every axis that was told. Raises HifiError for what is no length of one."""
        told = [("samples", length) for length in self.samples or ()]
        told += map(opt.axis_length, self.axis or ())
        names = dict.fromkeys(name for name, _ in told)
        return {each: tuple(length for name, length in told if name == each) for each in names}
