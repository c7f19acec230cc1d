"""``FILE.py:Class`` or ``FILE.onnx``: a user's own module or graph on the command line."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from hifigan_ref.errors import HifiError

_SPEC = re.compile(
    r"(?P<file>.+\.py):(?P<name>[^():@]+)(\((?P<inputs>.*)\))?(@(?P<digest>[0-9a-f]+))?"
    r"|(?P<graph>.+\.onnx)(:(?P<prefix>[^():@]+))?(@(?P<sum>[0-9a-f]+))?",
    re.DOTALL,
)
_AXIS = re.compile(r"[A-Za-z_]\w*")
HOW = "write it as --input y=batch,1,samples: a number for what is fixed, a name for an axis"

Shape = tuple[int | str, ...]
DIGITS = 16  # of a digest


@dataclass(frozen=True)
class ModuleSpec:
    """A class in a file of Python, or a graph of ONNX or a part of one.

    Attributes:
        file: that it is in.
        name: of the class; what the names of the part's initializers begin with, or "" for the
            whole graph.
        inputs: shape of each, by name; none where the module declares its signature.
        digest: of the source, beginning; "" where it was not looked at yet.
    """

    file: Path
    name: str
    inputs: tuple[tuple[str, Shape], ...] = ()
    digest: str = ""

    def __str__(self) -> str:
        told = ";".join(f"{name}={','.join(map(str, shape))}" for name, shape in self.inputs)
        digest = f"@{self.digest}" if self.digest else ""
        return f"{self.told}{f'({told})' if told else ''}{digest}"

    @property
    def told(self) -> str:
        """For messages: ``net.py:Unet``."""
        return f"{self.file}:{self.name}" if self.name else str(self.file)

    @property
    def label(self) -> str:
        """What files that are made of it are called: the class, or the graph's file."""
        if self.file.suffix == ".py":
            return self.name
        return "-".join([self.file.stem, *filter(None, self.name.strip("/.").split("."))])

    @property
    def nameless(self) -> "ModuleSpec":
        """The same without folders: what an exported file may tell."""
        return replace(self, file=Path(self.file.name))

    def of_source(self, digest: str) -> "ModuleSpec":
        """The same with the digest of its file.

        Raises:
            HifiError: it names another one.
        """
        digest = digest[:DIGITS]
        if self.digest not in ("", digest):
            raise HifiError(
                f"{self.file} is not the source that made this ({digest} instead of {self.digest}):"
                " run the command again, or give the file as it was"
            )
        return replace(self, digest=digest)


def is_module(text: str) -> bool:
    """Whether a network is named by a file."""
    return ".py:" in text or text.endswith(".py") or _SPEC.fullmatch(text) is not None


def parse_spec(text: str) -> ModuleSpec:
    """Read ``str(spec)`` back.

    Raises:
        HifiError: it is none.
    """
    found = _SPEC.fullmatch(text)
    if found is None:
        raise HifiError(f"--network {text}: name a class of the file, as in {text}:Generator")
    if found["graph"]:
        return ModuleSpec(Path(found["graph"]), found["prefix"] or "", (), found["sum"] or "")
    told = found["inputs"] or ""
    inputs = inputs_of([each for each in told.split(";") if each])
    named = (Path(found["file"]), found["name"], tuple(inputs.items()))
    return ModuleSpec(*named, found["digest"] or "")


def inputs_of(given: Sequence[str]) -> Mapping[str, Shape]:
    """Shapes by name from ``y=batch,1,samples``.

    Raises:
        HifiError: one is written in another way, or is there twice.
    """
    found: dict[str, Shape] = {}
    for text in given:
        name, equals, dims = text.partition("=")
        if not equals or not name.isidentifier() or name in found:
            raise HifiError(f"input {text!r}: {HOW}")
        found[name] = tuple(_extent(text, each.strip()) for each in dims.split(","))
    return found


def _extent(text: str, dim: str) -> int | str:
    if dim.isdecimal() and int(dim) > 0:
        return int(dim)
    if not _AXIS.fullmatch(dim):
        raise HifiError(f"input {text!r}: {dim!r} is no length and no axis: {HOW}")
    return dim
