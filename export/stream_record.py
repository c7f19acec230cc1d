"""What a file says of the stream that it computes a part of."""

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction

from hifigan_ref.errors import HifiError

PAST, REMAINING = "past", "remaining"
STATE = "state_"  # before the name of the value that an input of a file holds the end of
NEXT = "next_"  # before the name of a state, as an output


@dataclass(frozen=True)
class Streamed:
    """A file that computes chunks.

    Attributes:
        chunk: elements of the inputs' time for which outputs come out.
        left: context in front of them that the file takes.
        right: context behind them, which is the algorithmic latency.
        needed: context on both sides that decides the outputs.
        unit: name of the inputs' axis of time.
        unit_s: seconds of each element; None where nobody says.
        factors: elements of each output for each of the inputs', as numerator and denominator.
        snr_db: of the worst chunk beside the whole signal in float64, dB.
        delays: of a file with a state, elements of each output from where its first chunk begins
            to where the signal does; None for a file that takes its context.
    """

    chunk: int
    left: int
    right: int
    needed: tuple[int, int]
    unit: str
    unit_s: float | None
    factors: Mapping[str, tuple[int, int]]
    snr_db: float
    delays: Mapping[str, int] | None = None

    @property
    def taken(self) -> int:
        """Elements of the inputs' time that go in at once."""
        return self.left + self.chunk + self.right

    @property
    def exact(self) -> bool:
        """Whether it reads all that decides the outputs."""
        return self.delays is not None or (self.left, self.right) == self.needed

    @property
    def late(self) -> int:
        """Elements of the inputs' time that must follow one before its outputs are there."""
        if self.delays is None:
            return self.right
        found = ((self.factors[name], delay) for name, delay in self.delays.items())
        return max(-(-delay * by // times) for (times, by), delay in found)

    def __str__(self) -> str:
        """What it takes and gives, in words."""
        of = f"{self.chunk} {self.unit} a chunk, "
        if self.delays is not None:
            return of + f"with a state, {self._delays_in_words()}"
        least = (self.left, self.right) != self.needed
        less = f" (of {self.needed[0]} + {self.needed[1]})" if least else ""
        return f"{of}context {sides_in_words(self.left, self.right, self.unit, self.unit_s)}{less}"

    def _delays_in_words(self) -> str:
        """``audio 2582 late; algorithmic latency 11 frames, 117 ms``."""
        assert self.delays is not None
        late = max(
            Fraction(d * self.factors[n][1], self.factors[n][0]) for n, d in self.delays.items()
        )
        each = ", ".join(f"{name} {delay} late" for name, delay in self.delays.items())
        ms = "" if self.unit_s is None else f", {1e3 * self.unit_s * float(late):.0f} ms"
        return f"{each}; algorithmic latency {float(late):.4g} {self.unit}{ms}"


@dataclass(frozen=True)
class ChunkPlan:
    """What was asked for.

    Attributes:
        chunk: elements of the inputs' time for which outputs come out.
        sides: context in front and behind; None for all that is needed.
        stateful: whether each chunk takes over what the one before left, and no context.

    Raises:
        HifiError: on construction, for a chunk of less than one element.
    """

    chunk: int
    sides: tuple[int, int] | None = None
    stateful: bool = False

    def __post_init__(self) -> None:
        if self.chunk < 1:
            raise HifiError(f"--chunk {self.chunk}: choose 1 or more")


def plan_of(
    chunk: int | None, context: str | None, stateful: bool, min_snr: float | None
) -> ChunkPlan | None:
    """What ``--chunk``, ``--context`` and ``--stateful`` say.

    Raises:
        HifiError: a context or a state without a chunk, a context without a least SNR, or both.
    """
    if stateful and chunk is None:
        raise HifiError("--stateful is of a chunk: add --chunk N")
    if stateful and context is not None:
        raise HifiError(
            f"--context {context}: a stateful file has its past in its states and waits for what "
            "is to come: leave --context or --stateful out"
        )
    if context is None:
        return None if chunk is None else ChunkPlan(chunk, stateful=stateful)
    if chunk is None:
        raise HifiError(f"--context {context} is of a chunk: add --chunk N")
    left, comma, right = context.partition(",")
    if not (comma and left.strip().isdecimal() and right.strip().isdecimal()):
        raise HifiError(f"--context {context}: write both sides, as in --context 6,4")
    if min_snr is None:
        raise HifiError(
            f"--context {context}: less than the network needs is not exact: say how exact it must "
            "be with --min-snr DB, or leave --context out"
        )
    return ChunkPlan(chunk, (int(left), int(right)))


def sides_in_words(left: int, right: int, unit: str, unit_s: float | None) -> str:
    """``13 + 13 frames, 151 + 151 ms; algorithmic latency 151 ms``."""
    told = f"{left} + {right} {unit}"
    if unit_s is None:
        return f"{told}; algorithmic latency {right} {unit}"
    before, after = (f"{1e3 * unit_s * side:.0f}" for side in (left, right))
    both = before if before == after else f"{before} + {after}"
    return f"{told}, {both} ms; algorithmic latency {after} ms"
