"""What of a stream is measured: checked once, then only read."""

from collections.abc import Mapping
from dataclasses import dataclass

from bench.backend import lacking
from bench.choice import Choice, choose, target_of
from bench.precisions import Split
from bench.stopping import Limits, check_seconds
from bench.suite import MOST_ROUNDS, check_threads
from export.lowering.plan import PLAIN
from export.precision.plan import FP32, PrecisionPlan
from export.request import ExportRequest
from export.stream_record import ChunkPlan
from export.targets import TARGETS
from hifigan_ref.errors import HifiError
from hifigan_ref.input_files import Files
from hifigan_ref.source import Source
from hifigan_ref.variant import Variant


@dataclass(frozen=True)
class Wish:
    """What to measure.

    Attributes:
        backends: with their options.
        variant: network.
        chunks: elements of the inputs' time that are computed at once.
        seconds: of the signal; None for the usual ones.
        rate: of the output, elements in a second, where the network does not say it.
        sizes: lengths of axes; that of time instead of the seconds.
        threads: of a CPU runtime.
        limits: of each row.
        rounds: in which rows take turns.
        weights: of the network.
        inputs: values of some inputs, out of files.

    Raises:
        HifiError: on construction, for a value that is out of range, or a backend that cannot run
            here or takes no chunks.
    """

    backends: tuple[str, ...]
    variant: Variant
    chunks: tuple[int, ...]
    seconds: float | None
    rate: int | None
    sizes: Mapping[str, int]
    threads: int
    limits: Limits
    rounds: int
    weights: Source
    inputs: Files

    def __post_init__(self) -> None:
        if self.seconds is not None:
            check_seconds("signal", self.seconds)
        if self.rate is not None and self.rate < 1:
            raise HifiError(f"--rate {self.rate}: choose 1 or more, as in --rate 22050")
        check_threads(self.threads)
        if not 1 <= self.rounds <= MOST_ROUNDS:
            raise HifiError(f"{self.rounds} rounds: choose 1 to {MOST_ROUNDS}")
        for chunk in self.chunks:
            ChunkPlan(chunk)
        able = [name for name, each in TARGETS.items() if each.runtime is not None]
        for spec in self.backends:
            choice = choose(spec)
            if choice.backend.name not in able:
                raise HifiError(
                    f"{spec} runs no file of a chunk on a CPU: choose from {', '.join(able)}"
                )
            missing = lacking(choice.backend)
            if missing is not None:
                raise HifiError(f"{spec} cannot run here: {missing}")
            self.request(choice)

    @property
    def plain(self) -> ExportRequest:
        """Of the whole network's graph in float32, of any length."""
        return ExportRequest(self.variant)

    def split(self, choice: Choice) -> Split:
        """Where a backend's precisions are said."""
        layers = choice.asked.used(self.variant) if isinstance(choice.asked, PrecisionPlan) else ()
        return choice.split(layers)

    def request(self, choice: Choice) -> ExportRequest:
        """Of the graph that a backend is given, of any length."""
        split = self.split(choice)
        own = choice.lowering != PLAIN or split.file != FP32
        return ExportRequest(
            self.variant,
            split.opset(self.plain.opset),
            lowering=choice.lowering,
            precision=split.file,
            target=target_of(choice) if own else None,
        )
