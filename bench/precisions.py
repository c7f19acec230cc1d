"""The precisions of a backend: what it may be asked for, and where each of them is said.

1. Some are set on the runtime, which is given the file in float32.
2. Others are written into the file, and the runtime runs what it finds there.

A precision plan may mix both: what is of the second kind goes into the file, and the rest, which
must be of one precision, is set on the runtime.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from bench.backend import Option
from bench.records import Precision
from export.precision.budget import PRECISIONS, GraphPrecision
from export.precision.plan import FP32, PrecisionPlan
from export.targets import Activations
from hifigan_ref.errors import HifiError

if TYPE_CHECKING:
    from bench.backend import Backend

PRECISION = "precision"
PLAN = ".json"


@dataclass(frozen=True)
class Precisions(Option):
    """The option of that name.

    Attributes:
        written: those that are written into the file; every other one is set on the runtime.
        activations: what int8 layers of its file read.
    """

    written: tuple[GraphPrecision, ...] = ()
    activations: Activations = "int8"

    @property
    def on_runtime(self) -> tuple[str, ...]:
        """Those that are set on the runtime."""
        return tuple(each for each in self.allowed if each not in self.written)

    def is_other(self, value: str) -> bool:
        """Whether it may be the file of a plan."""
        return bool(self.other) and value.endswith(PLAN)

    def split(self, plan: PrecisionPlan, layers: Iterable[GraphPrecision], backend: str) -> "Split":
        """What of a plan goes where.

        Args:
            plan: as read.
            layers: precision of each layer by it.
            backend: whose, in words.

        Raises:
            HifiError: a layer has a precision that the backend lacks, or those that are set on the
                runtime are several.
        """
        held = set(layers)
        lacking = sorted(held - set(self.allowed))
        if lacking:
            told = " and ".join(lacking)
            raise HifiError(f"{backend} has no {told}, as {plan.origin or 'the plan'} asks for")
        rest = sorted(held - set(self.written))
        if len(rest) > 1:
            raise HifiError(
                f"{backend} computes all layers that are not {' or '.join(self.written)} in one "
                f"precision, the plan has {' and '.join(rest)}: give it one for them"
            )
        runtime = rest[0] if rest else "fp32"
        if not held & set(self.written):
            return Split(FP32, runtime)
        inside = {name: self._in_file(each) for name, each in plan.layers.items()}
        file = replace(
            plan, base=self._in_file(plan.base), layers=inside, activations=self.activations
        )
        return Split(file, runtime)

    def alone(self, precision: Precision) -> "Split":
        """The same for one precision of all layers."""
        for each in self.written:
            if precision == each:
                return Split(PrecisionPlan(each, activations=self.activations), "fp32")
        return Split(FP32, precision)

    def _in_file(self, precision: GraphPrecision) -> GraphPrecision:
        return precision if precision in self.written else "fp32"


@dataclass(frozen=True)
class Split:
    """Where precisions are said.

    Attributes:
        file: of the graph that the runtime is given.
        runtime: what it is asked to compute the float32 of that graph in.
    """

    file: PrecisionPlan
    runtime: Precision

    def opset(self, least: int) -> int:
        """The smallest that has all of the file's precisions, and is not below ``least``."""
        return max(least, *(PRECISIONS[each].opset for each in self.file.held))


def precisions(
    on_runtime: tuple[Precision, ...],
    written: tuple[GraphPrecision, ...] = (),
    activations: Activations = "int8",
    note: str = "",
) -> Precisions:
    """The option; the first precision is the default. Plans are for those that read a file.

    Args:
        on_runtime: set there.
        written: into the file.
        activations: what int8 layers of the file read.
        note: why one is not offered.
    """
    other = f"a precision plan's {PLAN}" if written else ""
    meaning = "of the arithmetic"
    return Precisions(
        PRECISION, (*on_runtime, *written), meaning, other, written, activations, note=note
    )


ONLY_FLOAT32 = precisions(("fp32",))


def precisions_of(backend: "Backend") -> Precisions:
    """Float32 alone where a backend has no such option."""
    found = (option for option in backend.options if isinstance(option, Precisions))
    return next(found, ONLY_FLOAT32)
