"""What the options that shape a graph mean together: how it is written, and in what it computes."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

from export.lowering.plan import DEFAULT, LoweringPlan
from export.precision.calibration import CLIP, calibration_of
from export.precision.forms import lowering_for
from export.precision.plan import IoTypes, PrecisionPlan
from export.precision.plan import plan_of as precision_of
from export.targets import ANY, TARGETS, activations_for, check_target
from hifigan_ref.errors import HifiError


@dataclass(frozen=True)
class Wish:
    """What was typed.

    Attributes:
        lowering: ``none``, ``default``, or a plan's file.
        precision: a precision's name, or a plan's file.
        io_types: ``float32`` or ``same``.
        calibration: files; none for the shipped clip.
        backend: that the files are for, whose defaults are meant; or None.
    """

    lowering: str
    precision: str
    io_types: IoTypes
    calibration: Sequence[Path]
    backend: str | None


class Choice(NamedTuple):
    """What it means, as ``ExportRequest`` takes it.

    Attributes:
        lowering: forms of convolutions.
        precision: of layers.
    """

    lowering: LoweringPlan
    precision: PrecisionPlan


def choose(wish: Wish) -> Choice:
    """The plans of a wish.

    Raises:
        UsageError: no such backend.
        HifiError: a default without one, or no such plan.
    """
    backend = wish.backend
    check_target(backend)
    precision = precision_for(wish)
    if wish.lowering == DEFAULT and backend is None:
        raise HifiError(f"--lowering default of which backend: add --for {' or '.join(TARGETS)}")
    target = TARGETS.get(backend or "", ANY)
    if "int8" in precision.held and target.activations is None:
        able = [name for name, each in TARGETS.items() if each.activations]
        raise HifiError(f"--for {backend}: it has no int8: choose from {', '.join(able)}")
    return Choice(lowering_for(wish.lowering, backend or "", precision), precision)


def precision_for(wish: Wish) -> PrecisionPlan:
    """The precision plan of a wish.

    Raises:
        HifiError: no such precision or plan, or calibration audio that is refused or not needed.
    """
    files = tuple(wish.calibration)
    plan = precision_of(wish.precision, wish.io_types)
    if files and not plan.calibrated:
        told = f"{wish.precision} --io-types same" if plan.io == "same" else wish.precision
        raise HifiError(
            f"--calibration with --precision {told}: no audio decides anything of it: leave it out"
        )
    calibration = calibration_of(files) if files else CLIP
    activations = activations_for(wish.backend) if "int8" in plan.held else plan.activations
    return replace(plan, calibration=calibration, activations=activations)
