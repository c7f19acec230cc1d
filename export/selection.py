"""Which networks the options of a command line name, and what they change of them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from export.option_groups import option
from hifigan_ref.config_file import read_config
from hifigan_ref.errors import HifiError
from hifigan_ref.module_spec import inputs_of, is_module, parse_spec
from hifigan_ref.settings import SPEAKER, Settings
from hifigan_ref.variant import GRAPH, Variant, locate

if TYPE_CHECKING:
    from hifigan_ref.input_files import Files

ARRAY = ".npy"


class Model(StrEnum):
    """Ensembles that ``--model`` accepts."""

    mpd = "mpd"
    msd = "msd"
    all = "all"


@dataclass(frozen=True)
class Changes:
    """What is said of the networks that ``--network`` names; each field is an option."""

    input: list[str] | None = option(
        None,
        "Shape of an input of your module: numbers, and names of axes; repeatable. For "
        "hifi-bench also an input's values.",
        metavar="NAME=DIMS|FILE.npy",
    )
    config: Path | None = option(
        None,
        "Hyper-parameters of a generator: jik876's config_v1.json, VITS's or transformers' "
        "config.json.",
        metavar="FILE.json",
    )
    speaker: int | None = option(None, "A decoder's speaker, from 0, whom the file then speaks as.")

    def parted(self) -> "tuple[Changes, Files]":
        """The same without the values of inputs, and those values. Raises HifiError."""
        from hifigan_ref.input_files import read_files

        files = [text for text in self.input or () if text.endswith(ARRAY)]
        shapes = [text for text in self.input or () if text not in files]
        return replace(self, input=shapes), read_files(files)

    def of(self, network: str) -> Variant:
        """A network as named, changed so. Raises HifiError for what it cannot be."""
        if is_module(network):
            spec = parse_spec(network)
            given = tuple(inputs_of(self.input or ()).items())
            return Variant.parse(str(replace(spec, inputs=given) if given else spec))
        changes = {} if self.config is None else read_config(self.config)
        changes |= {} if self.speaker is None else {SPEAKER: self.speaker}
        return Variant.parse(str(Settings.parse(network).but(**changes)) if changes else network)

    def check(self, networks: Sequence[str]) -> None:
        """Raises HifiError for what has no effect on these networks."""
        for text in self.input or ():
            if text.endswith(ARRAY):
                raise HifiError(
                    f"--input {text}: a file's values are for what hifi-bench runs, "
                    "here inputs are speech, its log-mels and seeded noise: leave it out"
                )
        if (self.config is not None or self.speaker is not None) and len(networks) != 1:
            raise HifiError("--config and --speaker change one network: name it with --network")
        if self.input and not any(map(is_module, networks)):
            raise HifiError("--input is for a module of your own: add --network FILE.py:Class")


@dataclass(frozen=True)
class FilePart:
    """A network out of a file; each field is an option."""

    from_file: Path | None = option(
        None, "A network out of an ONNX file of any tool.", "--from", metavar="FILE.onnx"
    )
    prefix: str = option(
        "",
        "The part of that file whose initializers' names begin so: dec. is the decoder of a voice.",
        metavar="TEXT",
    )


@dataclass(frozen=True)
class Networks:
    """Networks by their names; each field is an option."""

    period: list[int] | None = option(None, "Period of a member of MPD; repeatable.")
    scale: list[int] | None = option(None, "Scale of a member of MSD; repeatable.")
    model: list[Model] | None = option(
        None, "An ensemble as one graph, or both of them; repeatable."
    )
    network: list[str] | None = option(
        None,
        "A network by name, an ONNX file (voice.onnx:dec. is a part of it), or a module "
        "of your own, whose code runs: net.py:Unet --input x=batch,1,samples; repeatable.",
        metavar="NAME|FILE.onnx|FILE.py:Class",
    )

    def select(self, changes: Changes | None = None) -> tuple[Variant, ...]:
        """What was named, each once. Raises HifiError for what does not exist."""
        changes, networks = changes or Changes(), self.network or []
        changes.check(networks)
        chosen = [Variant("mpd", str(period)) for period in self.period or ()]
        chosen += [Variant("msd", str(scale)) for scale in self.scale or ()]
        for model in self.model or ():
            chosen += [Variant(name) for name in ("mpd", "msd") if model in (name, Model.all)]
        chosen += map(changes.of, networks)
        unique = tuple(dict.fromkeys(chosen))
        for variant in unique:
            variant.members()  # an unknown one is refused before any work
        return unique

    def with_file(self, part: FilePart) -> "Networks":
        """These and an ONNX file, or a part of one.

        Raises:
            HifiError: a prefix without a file, or a file of another kind.
        """
        file, prefix = part.from_file, part.prefix
        if file is None:
            if prefix:
                raise HifiError(f"--prefix {prefix} is of an ONNX file: add --from FILE.onnx")
            return self
        if file.suffix != GRAPH:
            raise HifiError(
                f"--from {file} is no .onnx file: a checkpoint goes behind --checkpoint, a module "
                "behind --network FILE.py:Class"
            )
        name = f"{file}:{prefix}" if prefix else str(file)
        return replace(self, network=[*(self.network or ()), name])

    def beside(self, file: Path | None) -> "Networks":
        """These without the module of a file, where ``--network`` says that it lies.

        Raises:
            HifiError: the file is not of that module.
        """
        named = self.network or []
        if file is None or len(named) != 1 or not is_module(named[0]):
            return self
        from export import artifact

        locate(artifact.load(file).manifest.variant, named[0])
        return replace(self, network=None)


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
