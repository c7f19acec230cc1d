"""What a network is to everything else: named tensors over named axes, and how to build it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import lcm, prod
from typing import TYPE_CHECKING, Literal, Protocol

from hifigan_ref.mel import Mel

if TYPE_CHECKING:
    from torch import nn

Sizes = Mapping[str, int]
"""A length for each axis, by its name: ``{"batch": 16, "samples": 8192}``."""

Role = Literal["waveform", "score", "feature_map", "spectrogram", "other"]

BATCH = "batch"  # the axis of items that do not know of each other
SAMPLES = "samples"  # that of a waveform
MOST_COMMON = 2**12  # a length that several moduli divide is not longer than so many elements


@dataclass(frozen=True)
class Axis:
    """A dimension whose length the caller chooses.

    Attributes:
        name: in the graph and on the command line: ``batch``, ``samples``, ``frames``.
        smallest: every length from here up is legal.
        typical: traced and measured where no length is given.
        largest: what an engine's optimisation profile covers.
        residues: moduli, every remainder of which a proof must visit.
        unit_s: seconds of audio for each element; None for what is not time.
    """

    name: str
    smallest: int = 1
    typical: int = 1
    largest: int = 2**16
    residues: tuple[int, ...] = ()
    unit_s: float | None = None

    def every_remainder(self, near: int) -> tuple[int, ...]:
        """The fewest neighbouring lengths, from about ``near`` on, that leave every remainder."""
        cycle = max(self.residues, default=1)
        first = max(near // cycle * cycle, self.smallest)
        return tuple(range(first, first + cycle))

    def extremes(self, near: int) -> tuple[int, ...]:
        """Lengths from ``near`` on at which each modulus leaves no remainder, and then 1.

        A padding to a multiple is empty at the first and longest at the second. Moduli share a
        length where one of at most ``MOST_COMMON`` elements is a multiple of them all.
        """
        found: list[int] = []
        for common in _common_multiples(self.residues):
            first = -(-max(near, self.smallest) // common) * common
            found += [first, first + 1]
        return tuple(dict.fromkeys(found))


def _common_multiples(moduli: Sequence[int]) -> list[int]:
    """The least common multiple of each group of moduli that stays small."""
    groups: list[int] = []
    for modulus in moduli or (1,):
        for place, group in enumerate(groups):
            if lcm(group, modulus) <= MOST_COMMON:
                groups[place] = lcm(group, modulus)
                break
        else:
            groups.append(modulus)
    return groups


@dataclass(frozen=True)
class Multiple:
    """A dimension of an output that is a fixed number of times as long as an axis.

    Attributes:
        axis: of an input.
        factor: elements for each of the axis.
    """

    axis: Axis
    factor: int

    def __str__(self) -> str:
        """As the graph names it: ``256*frames``."""
        return f"{self.factor}*{self.axis.name}"


Dimension = int | Axis | Multiple | None
"""A length, an axis, a multiple of one, or None for what is computed in another way."""


def length_of(dimension: Dimension, sizes: Sizes) -> int | None:
    """How long a dimension is; None where its axis has no length there, or it is computed."""
    if isinstance(dimension, Axis):
        return sizes.get(dimension.name)
    if isinstance(dimension, Multiple):
        length = sizes.get(dimension.axis.name)
        return None if length is None else dimension.factor * length
    return dimension


@dataclass(frozen=True)
class Port:
    """A tensor that enters or leaves.

    Attributes:
        name: ``y``, ``mpd_11_score``, ``audio``.
        shape: of each dimension what is known.
        dtype: as NumPy calls it.
        role: what it holds.
        member: part of the network that computes it; None for an input or the whole.
        mel: how a spectrogram is made of a waveform; None: as HiFi-GAN does it, in as many bins
            and with frames as long as the shape says.
    """

    name: str
    shape: tuple[Dimension, ...]
    dtype: str = "float32"
    role: Role = "other"
    member: str | None = None
    mel: Mel | None = None

    @property
    def recipe(self) -> Mel | None:
        """How it is made of a waveform; None for what is no spectrogram with so many bins."""
        if self.role != "spectrogram" or self.mel is not None or len(self.shape) < 2:
            return self.mel
        bins, frames = self.shape[-2:]
        seconds = frames.unit_s if isinstance(frames, Axis) else None
        return Mel.usual(bins, seconds) if isinstance(bins, int) else None

    def sized(self, sizes: Sizes) -> tuple[int, ...]:
        """Its shape for some lengths, one for each axis."""
        known = [length_of(each, sizes) for each in self.shape]
        told = tuple(each for each in known if each is not None)
        assert len(told) == len(known), f"{self.name} is computed, or an axis has no length"
        return told


@dataclass(frozen=True)
class Signature:
    """What a graph takes and gives.

    Attributes:
        inputs: in order.
        outputs: in order.
    """

    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]

    @property
    def axes(self) -> Mapping[str, Axis]:
        """Every axis of the inputs, by name, in the order in which they occur."""
        ports = (each for port in self.inputs for each in port.shape)
        return {each.name: each for each in ports if isinstance(each, Axis)}

    @property
    def smallest(self) -> Sizes:
        """The smallest legal length of each axis."""
        return {name: axis.smallest for name, axis in self.axes.items()}

    @property
    def typical(self) -> Sizes:
        """The typical length of each axis."""
        return {name: axis.typical for name, axis in self.axes.items()}

    @property
    def audio(self) -> Mapping[str, Mel]:
        """Outputs that are waveforms, by name, and how spectrograms are made of them.

        That of its input where it is a vocoder.
        """
        recipes = [port.recipe for port in self.inputs if port.recipe is not None]
        waves = [port.name for port in self.outputs if port.role == "waveform"]
        return dict.fromkeys(waves, recipes[0] if recipes else Mel())

    def audio_seconds(self, sizes: Sizes, rate: int | None = None) -> float | None:
        """Seconds of audio that are made, or that enter where none is.

        Args:
            sizes: a length for each axis.
            rate: of the recordings that waveforms are out of, Hz; the network's own without one.

        Returns:
            Items times seconds, summed over the outputs that are audio, each as long as the longest
            input, or over the inputs that have a time axis; None where none has.
        """
        found = [_seconds(port, sizes, rate) for port in self.inputs]
        told = [seconds for seconds in found if seconds is not None]
        if not told:
            return None
        return max(told) * len(self.audio) if self.audio else sum(told)


def _seconds(port: Port, sizes: Sizes, rate: int | None) -> float | None:
    """Items of an input times the seconds of each."""
    axes = [each for each in port.shape if isinstance(each, Axis)]
    units = [axis.unit_s for axis in axes if axis.unit_s is not None]
    if not units:
        return None
    unit = 1 / rate if rate is not None and port.role == "waveform" else prod(units)
    return unit * prod(sizes[axis.name] for axis in axes)


@dataclass(frozen=True)
class Footprint:
    """What a network holds in memory.

    Attributes:
        parameters: number of values.
        floats: held at once for each element of its inputs: by all its outputs, or by more inside.
    """

    parameters: int
    floats: float


class Network(Protocol):
    """Anything that can be exported. One file each in ``hifigan_ref/networks/``."""

    @property
    def name(self) -> str:
        """``mpd``, ``vits-d``, ``generator-v1``."""

    @property
    def noun(self) -> str:
        """What a part is called in messages (``period``)."""

    @property
    def parts(self) -> tuple[str, ...]:
        """Networks of their own that it is made of, in the order of a checkpoint; () of one."""

    def signature(self, parts: Sequence[str], alone: bool) -> Signature:
        """Of some of its parts; one that is exported alone does not stand in the names."""

    def build(self, parts: Sequence[str]) -> "nn.Module":
        """A module with weights of no meaning, holding these parts."""

    def function(self, module: "nn.Module", parts: Sequence[str], alone: bool) -> "nn.Module":
        """A module around ``build``'s whose ``forward`` takes and gives what the signature says."""

    def scopes(self, parts: Sequence[str]) -> Mapping[str, str]:
        """Where each part lies in the module that was built, by part: ``discriminators.0``."""

    def folds(self, parts: Sequence[str]) -> tuple[int, ...] | None:
        """Numbers of columns that the waveform is padded for and folded to; None: unknown."""

    def footprint(self, parts: Sequence[str]) -> Footprint:
        """About what it holds in memory."""


def together(lengths: Mapping[str, Sequence[int]]) -> tuple[Sizes, ...]:
    """The fewest sizes in which each axis has each of its lengths once."""
    turns = max(map(len, lengths.values()), default=0)
    return tuple(
        {name: each[turn % len(each)] for name, each in lengths.items()} for turn in range(turns)
    )


def in_words(sizes: Sizes) -> str:
    """``8191 samples``: every length but that of the batch."""
    told = ((length, name) for name, length in sizes.items() if name != BATCH)
    return ", ".join(f"{n} {name.removesuffix('s') if n == 1 else name}" for n, name in told)
