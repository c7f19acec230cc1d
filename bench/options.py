"""Options of ``hifi-bench``, as Typer reads them."""

from pathlib import Path
from typing import Annotated

import typer

from export.options import typed
from hifigan_ref.errors import HifiError


def refuse_before(context: typer.Context) -> None:
    """Raises HifiError for an option of a measurement that stands before another command."""
    told = typed(context, context.params)
    if told:
        command = context.invoked_subcommand
        raise HifiError(
            f"{', '.join(told)} before {command} would have no effect: "
            f"write what {command} takes behind it"
        )


BackendOption = Annotated[
    list[str] | None,
    typer.Option("--backend", help="Repeatable; default: every one that can run here."),
]
Precisions = Annotated[
    list[str] | None,
    typer.Option(
        "--precision",
        help="Of every backend; repeatable.",
        metavar="fp32|tf32|fp16|bf16|int8|PLAN",
    ),
]
MinSnr = Annotated[
    float | None,
    typer.Option("--min-snr", help="Least SNR, dB; default: what each precision promises."),
]
Batches = Annotated[list[int] | None, typer.Option("--batch", help="N; repeatable.")]
Samples = Annotated[
    int | None, typer.Option("--samples", help="T; default: 8192, or as the network is used.")
]
Threads = Annotated[
    int | None, typer.Option("--threads", help="Default: physical cores that may be used.")
]
Wav = Annotated[Path | None, typer.Option("--wav", help="Mono audio; default: a shipped clip.")]
Out = Annotated[Path, typer.Option("--out", help="Folder of the report.")]
Limit = Annotated[float, typer.Option("--limit", help="Seconds of sampling per row, at most.")]
Rounds = Annotated[
    int, typer.Option("--rounds", help="In which backends take turns, in random order.")
]
Timeout = Annotated[
    float, typer.Option("--timeout", help="Seconds until a cell that does not answer ends.")
]
Layers = Annotated[bool, typer.Option("--layers", help="Time each layer too, where it can be.")]
Resume = Annotated[bool, typer.Option("--resume", help="Go on with an interrupted run in --out.")]
Earlier = Annotated[
    Path, typer.Argument(help="The --out folder of an earlier run, or its report.json.")
]

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
Threshold = Annotated[
    float, typer.Option("--threshold", help="Per cent of change that does not matter.")
]
AcrossMachines = Annotated[
    bool, typer.Option("--across-machines", help="Compare although the machines differ.")
]

# of a parity report
ParityFile = Annotated[
    Path | None, typer.Argument(help="An .onnx file of ours, instead of a selection.")
]
Lengths = Annotated[
    list[int] | None,
    typer.Option("--samples", help="T; repeatable; default: every residue, short and ordinary."),
]
AxisLengths = Annotated[
    list[str] | None,
    typer.Option(
        "--axis", help="Run an axis at this length: frames=64; repeatable.", metavar="NAME=LENGTH"
    ),
]
SaveWav = Annotated[
    Path | None,
    typer.Option(
        "--save-wav",
        help="Write the audio that a network makes: PyTorch's in float64, the runtime's.",
        metavar="DIR",
    ),
]
