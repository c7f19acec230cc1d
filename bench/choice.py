"""A backend as typed, read once: which graph it is given and what it computes in."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import get_args

from bench.backend import LOWERING, Backend, find, joined, parted, with_option
from bench.precisions import PLAN, PRECISION, Precisions, Split, precisions_of
from bench.records import Precision, RowPrecision
from export.lowering.plan import NONE, LoweringPlan
from export.precision.budget import PRECISIONS, GraphPrecision
from export.precision.forms import lowering_for
from export.precision.plan import PrecisionPlan
from export.precision.plan import plan_of as precision_plan_of
from export.targets import TARGETS
from hifigan_ref.errors import HifiError, UsageError, nearest
from hifigan_ref.variant import Variant

MIXED: RowPrecision = "mixed"


@dataclass(frozen=True)
class Choice:
    """What a backend was asked for.

    Attributes:
        backend: which.
        options: a value for each of its options.
        lowering: of the graph.
        asked: one precision for all layers, or a plan's.
    """

    backend: Backend
    options: Mapping[str, str]
    lowering: LoweringPlan
    asked: Precision | PrecisionPlan

    @property
    def precisions(self) -> Precisions:
        """What the backend may be asked for."""
        return precisions_of(self.backend)

    def precision(self, variant: Variant) -> RowPrecision:
        """Of its row."""
        if not isinstance(self.asked, PrecisionPlan):
            return self.asked
        used = self.asked.used(variant)
        return used[0] if len(used) == 1 else MIXED

    def budget_db(self, variant: Variant) -> float:
        """Least SNR of the worst output, dB."""
        if isinstance(self.asked, PrecisionPlan):
            return self.asked.budget_db(variant)
        return PRECISIONS[self.asked].budget_db

    def split(self, layers: Iterable[GraphPrecision]) -> Split:
        """Where the precisions are said.

        Args:
            layers: precision of each layer by the plan; nothing where there is none.

        Raises:
            HifiError: the backend cannot compute the plan.
        """
        if isinstance(self.asked, PrecisionPlan):
            return self.precisions.split(self.asked, layers, self.backend.name)
        return self.precisions.alone(self.asked)


def choose(spec: str) -> Choice:
    """What ``--backend`` names.

    Raises:
        HifiError: no such backend, option or value, or a plan that cannot be read.
    """
    backend, options = find(spec)
    wanted = options.get(LOWERING.name, NONE)
    told = options.get(PRECISION, precisions_of(backend).allowed[0])
    for precision in _precisions():
        if told == precision:
            graph = PrecisionPlan("fp32" if precision == "tf32" else precision)
            lowering = lowering_for(wanted, backend.name, graph)
            return Choice(backend, options, lowering, precision)
    plan = precision_plan_of(told)
    return Choice(backend, options, lowering_for(wanted, backend.name, plan), plan)


def check(specs: Sequence[str], wanted: Sequence[str] = ()) -> None:
    """Refuse, before anything runs, what no row could ever be measured of.

    A precision that a backend lacks is not refused: its row says so.

    Args:
        specs: backends as typed.
        wanted: precisions for all of them, or plans' files.

    Raises:
        UsageError: no such backend, option or value.
        HifiError: a plan that cannot be read.
    """
    for spec in specs:
        backend, options = find(_without_precision(spec))
        if any(options[option.name] not in option.allowed for option in backend.options):
            choose(spec)
    for each in wanted:
        if each.endswith(PLAN):
            precision_plan_of(each)


def target_of(choice: Choice) -> str | None:
    """The backend, where files are made for it: in its runtime they are verified too."""
    return choice.backend.name if choice.backend.name in TARGETS else None


def is_told(spec: str, option: str) -> bool:
    """Whether an option stands in a backend as typed."""
    return bool(_told(spec, option))


def has_lowering(spec: str) -> bool:
    """Whether a backend of this or of another version was asked for rewrites."""
    return _told(spec, LOWERING.name) not in ("", NONE)


def told_precision(spec: str) -> RowPrecision:
    """What a backend as typed seems to ask for, known or not; no file is read for it."""
    told = _told(spec, PRECISION)
    for precision in _precisions():
        if told == precision:
            return precision
    return MIXED if told.endswith(PLAN) else "fp32"


def in_precisions(specs: Sequence[str], wanted: Sequence[str]) -> tuple[str, ...]:
    """Every backend in every precision; one that lacks it is there to say so in its row.

    Args:
        specs: as typed.
        wanted: precisions, or plans' files; nothing for those of the backends as they are.

    Raises:
        UsageError: no such precision.
        HifiError: a backend was told another one.
    """
    for each in wanted:
        if each not in _precisions() and not each.endswith(PLAN):
            allowed = ", ".join((*_precisions(), f"a precision plan's {PLAN}"))
            near = nearest(each, _precisions())
            raise UsageError(f"no precision {each!r}: {near}choose from {allowed}")
    if not wanted:
        return tuple(dict.fromkeys(specs))
    found = [each for spec in specs for each in _in_precisions(spec, wanted)]
    return tuple(dict.fromkeys(found))


def _in_precisions(spec: str, wanted: Sequence[str]) -> list[str]:
    own = _told(spec, PRECISION)
    if own in wanted:
        return [spec]
    if own:
        raise HifiError(
            f"{spec} beside --precision {', '.join(wanted)}: leave its precision out, or give it "
            "to --precision too"
        )
    default = _default(spec)
    return [spec if each == default else with_option(spec, PRECISION, each) for each in wanted]


def _default(spec: str) -> str:
    try:
        return precisions_of(find(spec)[0]).allowed[0]
    except HifiError:
        return "fp32"  # its row says what is wrong


def _without_precision(spec: str) -> str:
    """A backend as typed, less a precision that is one."""
    name, options = parted(spec)
    known = [(PRECISION, each) for each in _precisions()]
    return joined(name, [each for each in options if each not in known])


def _told(spec: str, name: str) -> str:
    return next((value for key, value in parted(spec)[1] if key == name), "")


def _precisions() -> tuple[Precision, ...]:
    return get_args(Precision)
