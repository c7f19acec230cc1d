"""Options of the command lines that several commands share, as Typer reads them."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from hifigan_ref.errors import HifiError
from hifigan_ref.module_spec import inputs_of, is_module, parse_spec
from hifigan_ref.settings import SPEAKER, Settings, read_config
from hifigan_ref.source import Source
from hifigan_ref.variant import GRAPH, Variant, locate
from hifigan_ref.version import VERSION

if TYPE_CHECKING:
    from hifigan_ref.input_files import Files

Value = TypeVar("Value")
OF_A_GRAPH = (
    *("period", "scale", "model", "network", "input", "config", "speaker", "checkpoint", "seed"),
    *("opset", "batch", "samples", "axis", "outputs", "pair", "lowering", "out"),
    *("precision", "min_snr", "io_types", "calibration"),
)


ARRAY = ".npy"
MIXED = "mixed"  # a value of --precision


class Model(StrEnum):
    """Ensembles that ``--model`` accepts."""

    mpd = "mpd"
    msd = "msd"
    all = "all"


class Outputs(StrEnum):
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


def shapes_and_files(inputs: list[str] | None) -> "tuple[list[str], Files]":
    """What ``--input`` says of shapes, and the values that it names. Raises HifiError."""
    from hifigan_ref.input_files import read_files

    named = [text for text in inputs or () if text.endswith(ARRAY)]
    return [text for text in inputs or () if text not in named], read_files(named)


def select(
    periods: list[int] | None,
    scales: list[int] | None,
    models: list[Model] | None,
    networks: list[str] | None = None,
    inputs: list[str] | None = None,
    config: Path | None = None,
    speaker: int | None = None,
) -> list[Variant]:
    """What was named, each once. Raises HifiError for what does not exist."""
    for text in inputs or ():
        if text.endswith(ARRAY):
            raise HifiError(
                f"--input {text}: a file's values are for hifi-bench and hifi-bench parity, here "
                "inputs are speech, its log-mels and seeded noise: leave it out"
            )
    if (config is not None or speaker is not None) and len(networks or ()) != 1:
        raise HifiError("--config and --speaker change one network: name it with --network")
    changes = {} if config is None else read_config(config)
    changes |= {} if speaker is None else {SPEAKER: speaker}
    if changes and not is_module((networks or [""])[0]):
        networks = [str(Settings.parse(name).but(**changes)) for name in networks or ()]
    chosen = [Variant("mpd", str(period)) for period in periods or ()]
    chosen += [Variant("msd", str(scale)) for scale in scales or ()]
    for model in models or ():
        chosen += [Variant(name) for name in ("mpd", "msd") if model in (name, Model.all)]
    chosen += [_network(name, inputs or ()) for name in networks or ()]
    if inputs and not any(is_module(name) for name in networks or ()):
        raise HifiError("--input is for a module of your own: add --network FILE.py:Class")
    unique = list(dict.fromkeys(chosen))
    for variant in unique:
        variant.members()  # an unknown one is refused before any work
    return unique


def _network(name: str, inputs: Sequence[str]) -> Variant:
    if not is_module(name):
        return Variant.parse(name)
    spec = parse_spec(name)
    given = tuple(inputs_of(inputs).items())
    return Variant.parse(str(replace(spec, inputs=given) if given else spec))


def of_file(file: Path | None, prefix: str) -> list[str]:
    """What stands behind ``--network`` for an ONNX file, or a part of one.

    Raises:
        HifiError: a prefix without a file, or a file of another kind.
    """
    if file is None:
        if prefix:
            raise HifiError(f"--prefix {prefix} is of an ONNX file: add --from FILE.onnx")
        return []
    if file.suffix != GRAPH:
        raise HifiError(
            f"--from {file} is no .onnx file: a checkpoint goes behind --checkpoint, a module "
            "behind --network FILE.py:Class"
        )
    return [f"{file}:{prefix}" if prefix else str(file)]


def tell_equality(variants: Iterable[Variant]) -> None:
    """Say on standard error that networks out of ONNX files compute what the files do.

    Raises:
        HifiError: one does not.
    """
    for variant in variants:
        if variant.graph_file is not None:
            from export.foreign.proof import prove

            found = prove(variant)
            typer.echo(
                f"note: {variant} equals {variant.graph_file.name} at {found.snr_db:.1f} dB on "
                f"{found.heard}",
                err=True,
            )


def sizes_of(
    batch: int | None = None, samples: int | None = None, axes: list[str] | None = None
) -> dict[str, int]:
    """Lengths that were fixed. Raises HifiError for what is no length of an axis."""
    given = {"batch": batch, "samples": samples}
    found = {name: length for name, length in given.items() if length is not None}
    for name, length in map(_axis_length, axes or ()):
        if found.get(name, length) != length:
            raise HifiError(
                f"--axis {name}={length} and --{name} {found[name]}: give one of the two"
            )
        found[name] = length
    return found


def lengths_of(
    samples: list[int] | None = None, axes: list[str] | None = None
) -> dict[str, tuple[int, ...]]:
    """Lengths to run, of each axis that was told. Raises HifiError as ``sizes_of``."""
    told = [*(("samples", length) for length in samples or ()), *map(_axis_length, axes or ())]
    names = dict.fromkeys(name for name, _ in told)
    return {each: tuple(length for name, length in told if name == each) for each in names}


def _axis_length(text: str) -> tuple[str, int]:
    name, _, length = text.partition("=")
    if not name or not length.lstrip("-").isdecimal():
        raise HifiError(f"--axis {text}: write a name and a length, as in --axis samples=8192")
    return name, int(length)


def batches_of(batches: list[int] | None, sizes: dict[str, int]) -> tuple[int, ...]:
    """Batches to measure; one that was said as an axis leaves the sizes. Raises HifiError."""
    axis = sizes.pop("batch", None)
    if batches and axis is not None:
        raise HifiError(f"--axis batch={axis} and --batch: give one of the two")
    return tuple(dict.fromkeys(batches or (axis if axis is not None else 1,)))


def onnx_paths(out: Path, variants: list[Variant]) -> list[Path]:
    """Where each graph goes. Raises HifiError where the name of one file is given for several."""
    if out.suffix.lower() != ".onnx":
        return [out / f"{variant}.onnx" for variant in variants]
    if len(variants) > 1:
        raise HifiError(f"{out} is one file for {len(variants)} graphs: give a folder or one graph")
    return [out]


def typed(context: typer.Context, names: Iterable[str]) -> list[str]:
    """Those of some options that stand on the command line, as they are written there."""
    sources = {name: context.get_parameter_source(name) for name in names}
    return [
        f"--{name.replace('_', '-')}"
        for name, source in sources.items()
        if source is not None and source.name == "COMMANDLINE"
    ]


def module_beside(file: Path | None, networks: list[str] | None) -> bool:
    """Find the module of a file where ``--network`` says that it lies; whether it does.

    Raises:
        HifiError: the file is not of that module.
    """
    if file is None or not networks or len(networks) > 1 or not is_module(networks[0]):
        return False
    from export import artifact

    locate(artifact.load(file).manifest.variant, networks[0])
    return True


def refuse_beside(file: Path, context: typer.Context, but: Sequence[str] = ()) -> None:
    """Raises HifiError for an option that a file leaves nothing to decide for."""
    told = typed(context, [name for name in OF_A_GRAPH if name not in but])
    if told:
        raise HifiError(f"{file} and {', '.join(told)}: give one of the two")


def one_source(context: typer.Context, value: Value) -> Value:
    """Called for each; raises HifiError at the second of the two."""
    if len(typed(context, ("checkpoint", "seed"))) > 1:
        raise HifiError("--checkpoint and --seed: weights come from one of the two, give that")
    return value


def tell_notes(source: Source) -> None:
    """Say on standard error what a user must know of a checkpoint that was read."""
    for note in source.notes:
        typer.echo(f"note: {source.origin}: {note}", err=True)


Version = Annotated[
    bool,
    typer.Option("--version", help="Print the version.", callback=show_version, is_eager=True),
]
Period = Annotated[
    list[int] | None, typer.Option("--period", help="Period of a member of MPD; repeatable.")
]
Scale = Annotated[
    list[int] | None, typer.Option("--scale", help="Scale of a member of MSD; repeatable.")
]
ModelOption = Annotated[
    list[Model] | None,
    typer.Option("--model", help="An ensemble as one graph, or both of them; repeatable."),
]
Network = Annotated[
    list[str] | None,
    typer.Option(
        "--network",
        help="A network by name, an ONNX file (voice.onnx:dec. is a part of it), or a module of "
        "your own, whose code runs: net.py:Unet --input x=batch,1,samples; repeatable.",
        metavar="NAME|FILE.onnx|FILE.py:Class",
    ),
]
FromFile = Annotated[
    Path | None,
    typer.Option("--from", help="A network out of an ONNX file of any tool.", metavar="FILE.onnx"),
]
Prefix = Annotated[
    str,
    typer.Option(
        help="The part of that file whose initializers' names begin so: dec. is the decoder of a "
        "voice.",
        metavar="TEXT",
    ),
]
Input = Annotated[
    list[str] | None,
    typer.Option(
        "--input",
        help="Shape of an input of your module: numbers, and names of axes; repeatable. For "
        "hifi-bench and its parity also an input's values.",
        metavar="NAME=DIMS|FILE.npy",
    ),
]
Config = Annotated[
    Path | None,
    typer.Option(
        "--config",
        help="Hyper-parameters of a generator, in the keys of jik876's config_v1.json.",
        metavar="FILE.json",
    ),
]
Speaker = Annotated[
    int | None,
    typer.Option("--speaker", help="A decoder's speaker, from 0, whom the file then speaks as."),
]
AxisOption = Annotated[
    list[str] | None,
    typer.Option("--axis", help="Fix an axis: samples=8192; repeatable.", metavar="NAME=LENGTH"),
]
EngineAxis = Annotated[
    list[str] | None,
    typer.Option(
        "--axis",
        help="Fix an axis, or say what the engine accepts: frames=1:32:860; repeatable.",
        metavar="NAME=LENGTH|MIN:OPT:MAX",
    ),
]
CheckpointOption = Annotated[
    Path | None,
    typer.Option(
        "--checkpoint",
        "--weights",
        help="A training checkpoint, or a state dict of your module; no code of it runs.",
        metavar="FILE",
        callback=one_source,
    ),
]
Seed = Annotated[
    int,
    typer.Option("--seed", help="Seed of the weights without a checkpoint.", callback=one_source),
]
OutputsOption = Annotated[
    Outputs, typer.Option("--outputs", help="Scores alone, or feature maps too.")
]
Opset = Annotated[int, typer.Option("--opset", help="Exactly this opset, 11 to 26.")]
Batch = Annotated[int | None, typer.Option("--batch", help="Fix N.")]
Samples = Annotated[int | None, typer.Option("--samples", help="Fix T.")]
Lowering = Annotated[
    str, typer.Option("--lowering", help="Exact rewrites.", metavar="none|default|PLAN")
]
For = Annotated[
    str | None,
    typer.Option(
        "--for", help="Runtime to verify in too, with its lowering and int8.", metavar="BACKEND"
    ),
]
Precision = Annotated[
    str,
    typer.Option(
        "--precision", help="What layers compute in.", metavar="fp32|fp16|bf16|int8|mixed|PLAN.json"
    ),
]
EnginePrecision = Annotated[
    str,
    typer.Option(
        "--precision", help="What layers compute in.", metavar="fp32|fp16|bf16|int8|PLAN.json"
    ),
]
MinSnr = Annotated[
    float | None,
    typer.Option("--min-snr", help="Least SNR, dB; else the precision's own.", metavar="DB"),
]
IoTypesOption = Annotated[
    IoTypes, typer.Option("--io-types", help="Of inputs and outputs: as the layers, or float32.")
]
Calibration = Annotated[
    list[Path] | None,
    typer.Option(
        "--calibration", help="Speech for the ranges of int8; repeatable.", metavar="FILE|DIR"
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON and nothing else.")]
Pair = Annotated[bool, typer.Option("--pair", help="Real and generated waveform in one pass.")]

# what is written and read
OnnxOut = Annotated[Path, typer.Option("--out", help="A folder, or a single file's name in .onnx.")]
EngineOut = Annotated[Path, typer.Option("--out", help="A folder.")]
OnnxFile = Annotated[Path | None, typer.Argument(help="An .onnx file, instead of a selection.")]
AnyFile = Annotated[Path, typer.Argument(help="An .onnx file, an engine or a checkpoint.")]
