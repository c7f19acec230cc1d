"""What a search for precisions finds: frozen records with raw numbers."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import inf, log10

from bench.hardware import Machine, Others
from bench.hole import NOT_TAKEN, Skipped
from export.precision.budget import GraphPrecision
from hifigan_ref.network import Sizes
from hifigan_ref.views import View

SCHEMA = 2


@dataclass(frozen=True)
class Trial:
    """A member's graph with some layers in other precisions, measured in the runtime.

    Attributes:
        layers: those that are not as the base, by name of their node.
        noise: power of each output's error over that of the output, beside PyTorch in float64.
        ratio: its time over that of the base, median of rounds.
        high: upper end of the ratio's 95 % interval; infinite where the rounds were few.
        likely_db: SNR that other speech will hardly leave, dB, emulated.
    """

    layers: Mapping[str, GraphPrecision]
    noise: Mapping[str, float]
    ratio: float
    high: float = inf
    likely_db: float = inf

    @property
    def worst(self) -> str:
        """Name of the output that is furthest off."""
        return max(self.noise, key=lambda name: self.noise[name])

    @property
    def snr_db(self) -> float:
        """Of the worst output, dB."""
        largest = max(self.noise.values())
        return -10 * log10(largest) if largest > 0 else inf

    @property
    def sure_db(self) -> float:
        """What was measured, and what other speech will hardly leave: the lower of the two, dB."""
        return min(self.snr_db, self.likely_db)


@dataclass(frozen=True)
class MemberTrials:
    """Everything that was tried on a member.

    Attributes:
        member: its name.
        seconds: median time of the base.
        trials: the base first, then each layer alone, then combinations.
        failed: what the runtime said of combinations that it does not run.
        chosen: which trial is exported.
    """

    member: str
    seconds: float
    trials: tuple[Trial, ...]
    failed: tuple[str, ...] = ()
    chosen: int = 0

    @property
    def choice(self) -> Trial:
        """What is exported."""
        return self.trials[self.chosen]

    @property
    def front(self) -> tuple[Trial, ...]:
        """Trials that none beats in both error and time, the fastest first."""
        best, found = -inf, []
        for trial in sorted(self.trials, key=lambda each: (each.ratio, -each.snr_db)):
            if trial.snr_db > best:
                found.append(trial)
                best = trial.snr_db
        return tuple(found)


@dataclass(frozen=True)
class Measured:
    """One race.

    Attributes:
        trials: of what ran, the base first.
        seconds: median time of the base.
        failed: what the runtime said of what did not.
    """

    trials: tuple[Trial, ...]
    seconds: float
    failed: tuple[str, ...] = ()


@dataclass(frozen=True)
class Promise:
    """How exact an exported file is in the runtime: what it will be again on the same speech.

    Attributes:
        variant: network.
        sha256: of the file.
        noise: power of each output's error over that of the output, beside PyTorch in float64.
    """

    variant: str
    sha256: str
    noise: Mapping[str, float]

    @property
    def snr_db(self) -> float:
        """Of the worst output, dB."""
        return Trial({}, self.noise, 1.0).snr_db


@dataclass(frozen=True)
class Mixing:
    """A search's result.

    Attributes:
        schema: version of this record.
        created: when, UTC.
        tool: name and version.
        machine: what it is for.
        backend: name and options.
        base: precision of layers that are not named.
        min_snr_db: least SNR of the worst output, dB.
        sizes: lengths of axes; the typical ones of others.
        views: how the networks are seen.
        threads: of a CPU runtime.
        source: of the waveform that errors were measured on.
        weights: of the networks.
        calibration: audio of the ranges.
        members: with every trial.
        promises: of the exported files.
        others: what other processes took during the trials.
    """

    schema: int
    created: str
    tool: str
    machine: Machine
    backend: str
    base: GraphPrecision
    min_snr_db: float
    sizes: Sizes
    views: tuple[View, ...]
    threads: int
    source: str
    weights: str
    calibration: str
    members: tuple[MemberTrials, ...]
    promises: tuple[Promise, ...] = ()
    others: Others | Skipped = NOT_TAKEN


def plan_text(layers: Mapping[str, str]) -> str:
    """``int8: convs.1, convs.2``."""
    held: dict[str, list[str]] = {}
    for name, precision in layers.items():
        held.setdefault(precision, []).append(name)
    return "; ".join(f"{each}: {', '.join(names)}" for each, names in held.items()) or "none"
