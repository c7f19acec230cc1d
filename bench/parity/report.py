"""What a parity report says: frozen records with raw numbers; verdicts are properties of them."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from math import inf, log10

from bench.hole import Skipped, known, require
from bench.records import OutputParity
from hifigan_ref.network import Sizes

SCHEMA = 2
NO_SCORES = Skipped("no output is a score")
ONNXRUNTIME = "onnxruntime"
SCORE, DISCRIMINATOR, GENERATOR, FEATURES = (
    "score",
    "discriminator loss",
    "generator adversarial loss",
    "feature-matching loss",
)
NOT_LOOKED_AT = Skipped("not looked at")
QUANTITIES = (SCORE, DISCRIMINATOR, GENERATOR, FEATURES)


@dataclass(frozen=True)
class Element:
    """Where an output is furthest from PyTorch in float64.

    Attributes:
        index: in the output, an integer for each axis.
        expected: by PyTorch in float64.
        found: by the file.
    """

    index: tuple[int, ...]
    expected: float
    found: float


@dataclass(frozen=True)
class OutputCase:
    """One output of one case.

    Attributes:
        parity: its errors.
        worst: its worst element, or why there is none.
    """

    parity: OutputParity
    worst: Element | Skipped


@dataclass(frozen=True)
class Change:
    """A number that training reads, and by how much it is another one.

    Attributes:
        name: one of ``QUANTITIES``.
        exact: from the outputs of PyTorch in float64; of scores, where the file's is furthest off.
        found: from those of the file.
        torch: from those of PyTorch in float32; of scores, their largest change added to ``exact``.
        scale: what a relative change is relative to.
    """

    name: str
    exact: float
    found: float
    torch: float
    scale: float

    @property
    def absolute(self) -> float:
        """Of the file."""
        return _distance(self.found, self.exact)

    @property
    def relative(self) -> float:
        """Of the file."""
        return _ratio(self.absolute, self.scale)

    @property
    def torch_absolute(self) -> float:
        """Of PyTorch in float32."""
        return _distance(self.torch, self.exact)

    @property
    def torch_relative(self) -> float:
        """Of PyTorch in float32."""
        return _ratio(self.torch_absolute, self.scale)


@dataclass(frozen=True)
class ParityCase:
    """One shape of the input.

    Attributes:
        sizes: a length for each axis.
        outputs: in the order of the graph's outputs, or why the file cannot be run.
        meaning: scores and losses of speech and the same speech with noise, or why not.
    """

    sizes: Sizes
    outputs: tuple[OutputCase, ...] | Skipped
    meaning: tuple[Change, ...] | Skipped

    def __post_init__(self) -> None:
        require(self.outputs != (), "a comparison has outputs")

    @property
    def shape(self) -> str:
        """``2 x 1024``."""
        return " x ".join(map(str, self.sizes.values()))

    @property
    def worst(self) -> OutputCase | Skipped:
        """The output with the lowest SNR, or why the file cannot be run."""
        return known(self.outputs, lambda all_: min(all_, key=lambda each: each.parity.snr_db))

    def passes(self, budget_db: float) -> bool:
        """Whether it was run and every output is within a budget."""
        return not isinstance(self.worst, Skipped) and self.worst.parity.snr_db >= budget_db


@dataclass(frozen=True)
class Worst:
    """An output over all cases.

    Attributes:
        name: of the output.
        case: the one with its lowest SNR.
        found: the output there.
        passed: whether every case is within the budget.
    """

    name: str
    case: ParityCase
    found: OutputCase
    passed: bool


@dataclass(frozen=True)
class LayerNoise:
    """A layer alone in the file's precision, all others in float32.

    Attributes:
        name: of its convolution.
        precision: of the layer.
        noise: power of the error of the output that it disturbs most, over that of the output.
        output: name of that output.
        of: the output that all layers together disturb most.
        share: of the noise there, 0 to 1.
    """

    name: str
    precision: str
    noise: float
    output: str
    of: str
    share: float

    @property
    def snr_db(self) -> float:
        """Of the output that it disturbs most, dB."""
        return -10 * log10(self.noise) if self.noise > 0 else inf


@dataclass(frozen=True)
class ParityReport:
    """A file against PyTorch in float64.

    Attributes:
        schema: version of this record.
        tool: name and version of what wrote it.
        variant: network, as ``str(Variant)``.
        file: its name, without a folder.
        sha256: of the file.
        weights: where they come from.
        weights_digest: sha256 of the state dict as trained.
        source: of each input's values.
        versions: of what computed.
        budget_db: smallest SNR that passes, dB.
        cases: in the order they were run.
        precision: of the file, in a word.
        layers: how much each adds, or why that was not looked at.
    """

    schema: int
    tool: str
    variant: str
    file: str
    sha256: str
    weights: str
    weights_digest: str
    source: str
    versions: Mapping[str, str]
    budget_db: float
    cases: tuple[ParityCase, ...]
    precision: str = "fp32"
    layers: tuple[LayerNoise, ...] | Skipped = NOT_LOOKED_AT

    def __post_init__(self) -> None:
        require(bool(self.cases), "a parity report has cases")

    @property
    def runtime(self) -> str:
        """What ran the file."""
        return next((name for name in self.versions if name != "torch"), ONNXRUNTIME)

    @cached_property
    def outputs(self) -> tuple[Worst, ...]:
        """Each output where it is worst, in the order in which the network computes them."""
        seen: dict[str, list[tuple[ParityCase, OutputCase]]] = {}
        for case in self.cases:
            for output in () if isinstance(case.outputs, Skipped) else case.outputs:
                seen.setdefault(output.parity.name, []).append((case, output))
        return tuple(self._worst(name, seen[name]) for name in in_layer_order(tuple(seen)))

    def _worst(self, name: str, seen: list[tuple[ParityCase, OutputCase]]) -> Worst:
        case, output = min(seen, key=lambda pair: pair[1].parity.snr_db)
        return Worst(name, case, output, output.parity.snr_db >= self.budget_db)

    @property
    def failures(self) -> tuple[str, ...]:
        """Names of the outputs that leave the budget; the first layer's comes first."""
        return tuple(each.name for each in self.outputs if not each.passed)

    @property
    def holes(self) -> tuple[tuple[ParityCase, Skipped], ...]:
        """Cases that the file cannot be run on, each with the reason."""
        told = ((case, case.outputs) for case in self.cases)
        return tuple((case, hole) for case, hole in told if isinstance(hole, Skipped))

    @property
    def passed(self) -> bool:
        """Whether every case was run and every output of it is within the budget."""
        return not self.failures and not self.holes

    @property
    def meaning(self) -> tuple[tuple[ParityCase, Change], ...]:
        """Each quantity in the case where its relative change is largest."""
        pairs = [
            (case, change)
            for case in self.cases
            if not isinstance(case.meaning, Skipped)
            for change in case.meaning
        ]
        names = dict.fromkeys(change.name for _, change in pairs)
        return tuple(
            max((pair for pair in pairs if pair[1].name == name), key=lambda p: p[1].relative)
            for name in names
        )


def in_layer_order(names: tuple[str, ...]) -> tuple[str, ...]:
    """A member's feature maps before its score, which a graph lists first; members as they are."""
    prefixes = list(dict.fromkeys(map(_prefix, names)))
    return tuple(sorted(names, key=lambda n: (prefixes.index(_prefix(n)), "fmap_" not in n)))


def _prefix(name: str) -> str:
    return re.split(r"score|fmap_", name)[0]


def _distance(one: float, other: float) -> float:
    """Infinite where one of them is no number: min keeps its first where the other is NaN."""
    return min(inf, abs(one - other))


def _ratio(part: float, whole: float) -> float:
    if part == 0:
        return 0.0
    return part / whole if whole > 0 else inf
