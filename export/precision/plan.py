"""Which layer is computed in which precision: a small file that a person can read.

Layers are named as in lowering plans, ``mpd_11.convs.4``, so that one plan serves an ensemble and
its members, and may hold several networks.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal, get_args

from export.precision.budget import GRAPH_PRECISIONS, GraphPrecision, budget_of
from export.precision.calibration import CLIP, Calibration
from export.targets import Activations
from hifigan_ref.errors import HifiError, UsageError, nearest
from hifigan_ref.text_file import UnreadableError, read_text
from hifigan_ref.variant import Variant, check_layers

SCHEMA = 1
IoTypes = Literal["float32", "same"]
IO_TYPES: tuple[IoTypes, ...] = get_args(IoTypes)


@dataclass(frozen=True)
class PrecisionPlan:
    """A precision for each layer.

    An int8 ``base`` leaves layers with one channel in or out in float32: they are less than a
    hundredth of the work, and every other layer, or the score itself, hangs on them. A layer that
    is named is what it is named to be.

    Attributes:
        base: of every layer that is not named.
        layers: precision by name of the layer.
        origin: where it comes from: a name, or what searched for it.
        io: type of inputs and outputs: ``float32``, or the ``same`` as ``base``.
        calibration: audio for the ranges of int8.
        activations: what int8 layers read: ``int8`` around zero, which every runtime takes, or
            ``uint8`` with a zero point, which has twice the steps for what LeakyReLU leaves.

    Raises:
        HifiError: on construction, for a value that is not allowed.
    """

    base: GraphPrecision = "fp32"
    layers: Mapping[str, GraphPrecision] = field(default_factory=dict)
    origin: str = ""
    io: IoTypes = "float32"
    calibration: Calibration = CLIP
    activations: Activations = "int8"

    def __post_init__(self) -> None:
        for precision in (self.base, *self.layers.values()):
            if precision not in GRAPH_PRECISIONS:
                raise HifiError(
                    f"precision {precision!r}: choose from {', '.join(GRAPH_PRECISIONS)}"
                )
        if self.io not in IO_TYPES:
            raise HifiError(f"io types {self.io!r}: choose from {', '.join(IO_TYPES)}")
        if self.io == "same" and (self.base not in ("fp16", "bf16") or self.layers):
            raise HifiError(
                f"io types same as {self.name}: only a graph of fp16 or bf16 alone can have them"
            )

    def __hash__(self) -> int:
        return hash(
            (self.base, *sorted(self.layers.items()), self.origin, self.io, self.activations)
        )

    @property
    def name(self) -> str:
        """``fp16``, or ``mixed`` where layers differ by more than staying in float32."""
        return self.base if set(self.layers.values()) <= {"fp32", self.base} else "mixed"

    @property
    def is_float32(self) -> bool:
        """Whether every layer is in float32."""
        return self.held == {"fp32"}

    @property
    def held(self) -> frozenset[GraphPrecision]:
        """Every precision that it gives to a layer."""
        return frozenset({self.base, *self.layers.values()})

    @property
    def yields(self) -> bool:
        """Whether layers stay in float32 where the budget needs it: not where each was told."""
        if self.base == "int8":
            return True
        return self.base != "fp32" and not self.layers and self.io == "float32"

    @property
    def calibrated(self) -> bool:
        """Whether audio decides: ranges, whether fp16 reaches, what stays in float32."""
        return self.yields or not self.held.isdisjoint(("fp16", "int8"))

    @property
    def nameless(self) -> "PrecisionPlan":
        """The same without folders: what an exported file may tell."""
        return replace(self, calibration=self.calibration.nameless)

    def of(self, channels: tuple[int, int]) -> GraphPrecision:
        """The precision of a layer that is not named, of so many channels in and out."""
        return "fp32" if self.base == "int8" and 1 in channels else self.base

    def named(self, variant: Variant) -> dict[str, GraphPrecision]:
        """The named layers of a variant's graph, by name of their node there."""
        return variant.of_plan(self.layers)

    def used(self, variant: Variant) -> tuple[GraphPrecision, ...]:
        """What a variant's graph may hold, finest first."""
        held = {self.base, *self.named(variant).values()}
        return tuple(each for each in GRAPH_PRECISIONS if each in held)

    def budget_db(self, variant: Variant) -> float:
        """Least SNR of the worst output that its coarsest precision promises, dB."""
        return budget_of(self.used(variant))


FP32 = PrecisionPlan()


def plan_of(choice: str, io: IoTypes = "float32", calibration: Calibration = CLIP) -> PrecisionPlan:
    """The plan that ``--precision`` names: a precision, or a plan's file.

    Raises:
        UsageError: no such precision.
        HifiError: no such file, or it cannot be combined.
    """
    for precision in GRAPH_PRECISIONS:
        if choice == precision:
            return PrecisionPlan(precision, io=io, calibration=calibration)
    if not choice.endswith(".json"):
        raise UsageError(
            f"no precision {choice!r}: {nearest(choice, GRAPH_PRECISIONS)}choose from "
            f"{', '.join(GRAPH_PRECISIONS)}, or a plan's .json file, which hifi-export onnx "
            "--precision mixed searches for"
        )
    try:
        text = read_text(Path(choice))
    except UnreadableError as error:
        raise HifiError(f"cannot read the precision plan {choice}: {error}") from None
    return parse_plan(text, choice, io, calibration)


def parse_plan(
    text: str, name: str, io: IoTypes = "float32", calibration: Calibration = CLIP
) -> PrecisionPlan:
    """A plan from JSON.

    Raises:
        HifiError: it is no plan, or of another schema, or names what is unknown.
    """
    try:
        record = json.loads(text)
    except ValueError as error:
        raise HifiError(f"{name} is no JSON ({error}): give a precision plan") from None
    if not isinstance(record, dict) or set(record) != {"schema", "origin", "base", "layers"}:
        raise HifiError(f"{name} is no precision plan: it has schema, origin, base and layers")
    if record["schema"] != SCHEMA:
        raise HifiError(
            f"{name} has schema {record['schema']}, this version reads {SCHEMA}: search again"
        )
    layers, base, origin = record["layers"], record["base"], record["origin"]
    told = [base, origin, *(layers.values() if isinstance(layers, dict) else [None])]
    if not all(isinstance(text, str) for text in told):
        raise HifiError(f"{name} is no precision plan: layers are name: precision")
    try:
        check_layers(layers)
        return PrecisionPlan(base, layers, origin, io, calibration)
    except HifiError as error:
        raise HifiError(f"{name}: {error}") from None


def write_plan(plan: PrecisionPlan) -> str:
    """The other way, without what belongs to one export; audio is told, where it is not ours."""
    heard = () if plan.calibration == CLIP else (f"calibration: {plan.calibration}",)
    record = {
        "schema": SCHEMA,
        "origin": ", ".join(filter(None, (plan.origin, *heard))),
        "base": plan.base,
        "layers": dict(plan.layers),
    }
    return json.dumps(record, indent=2) + "\n"
