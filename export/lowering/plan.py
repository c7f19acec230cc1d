"""Which convolution is written in which form: a small file that a person can read.

Layers are named as in an ensemble, ``mpd_11.convs.4``, so that one plan serves an ensemble and its
members, and may hold several networks.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import TYPE_CHECKING

from export.cpu import multiplies_tiles
from export.targets import TARGETS
from hifigan_ref.errors import HifiError, UsageError, nearest
from hifigan_ref.text_file import UnreadableError, read_text
from hifigan_ref.variant import Variant, check_layers

if TYPE_CHECKING:
    from export.lowering.rule import Form

SCHEMA = 1
NONE, DEFAULT = "none", "default"


@dataclass(frozen=True)
class LoweringPlan:
    """A form for each layer that is rewritten.

    Attributes:
        origin: where it comes from: ``none``, or what tuned it; several where plans were merged.
        layers: form by name of the layer, as in ``phase+fir-3-3+wide``.
        back: the same of layers that a budget puts back into float32; None where those of
            ``layers`` suit both. It is not in a file: whoever writes a graph settles it.
    """

    origin: str = NONE
    layers: Mapping[str, str] = field(default_factory=dict)
    back: Mapping[str, str] | None = None

    def __hash__(self) -> int:
        return hash((self.origin, *sorted(self.layers.items()), *sorted((self.back or {}).items())))

    def settled(self, variant: Variant, nodes: Iterable[str]) -> "LoweringPlan":
        """What it says now that it is known which nodes of a variant's graph went back."""
        if self.back is None:
            return self
        names = set(map(variant.in_plans, nodes))
        told = {name: form for name, form in self.layers.items() if name not in names}
        told |= {name: form for name, form in self.back.items() if name in names}
        return LoweringPlan(self.origin, told)

    def forms(self, variant: Variant) -> "dict[str, Form]":
        """Forms by name of the node in that variant's graph.

        Raises:
            HifiError: a form is unknown.
        """
        from export.lowering.rule import parse_form

        return {name: parse_form(form) for name, form in variant.of_plan(self.layers).items()}


PLAIN = LoweringPlan()


def plan_of(choice: str, target: str, precision: str = "fp32") -> LoweringPlan:
    """The plan that ``--lowering`` names.

    Args:
        choice: ``none``, ``default``, or the name of a plan's file.
        target: backend whose default is meant.
        precision: whose default is meant; where it has none, float32's. It may be one for CPUs that
            multiply in tiles, and is taken where this one does.

    Raises:
        UsageError: neither a name nor a file.
        HifiError: no such file or default.
    """
    if choice == NONE:
        return PLAIN
    if choice != DEFAULT:
        if not choice.endswith(".json") and not Path(choice).exists():
            raise UsageError(
                f"no lowering {choice!r}: {nearest(choice, (NONE, DEFAULT))}choose from {NONE}, "
                f"{DEFAULT}, or a plan's .json file, which hifi-bench tune writes"
            )
        return read_plan(Path(choice))
    found = _defaults(precision)
    if target not in found:
        choice = f"choose from {', '.join(found)}, or give" if found else "give"
        raise HifiError(
            f"there is no default plan for {target!r}: {choice} a plan of hifi-bench tune"
        )
    return parse_plan(found[target].read_text(), f"the default plan for {target}")


def has_plan(choice: str, target: str, precision: str = "fp32") -> bool:
    """Whether ``plan_of`` would find what it is asked for, a file aside."""
    return choice != DEFAULT or target in _defaults(precision)


def _defaults(precision: str) -> dict[str, Traversable]:
    """Where the default plan of each backend that has one lies: the most special one."""
    folder = resources.files("export.lowering").joinpath("defaults")
    tiles = multiplies_tiles()
    found = {}
    for target, each in TARGETS.items():
        name = each.lowering
        files = [f"{name}.json", f"{name}-{precision}.json"]
        if tiles:
            files.append(f"{name}-{precision}-amx.json")
        for file in files:
            if folder.joinpath(file).is_file():
                found[target] = folder.joinpath(file)
    return found


def read_plan(path: Path) -> LoweringPlan:
    """A plan from its file.

    Raises:
        HifiError: there is none, or it is no plan.
    """
    try:
        text = read_text(path)
    except UnreadableError as error:
        raise HifiError(
            f"cannot read the lowering plan {path}: {error}: give none, default, or a file of "
            "hifi-bench tune"
        ) from None
    return parse_plan(text, str(path))


def parse_plan(text: str, name: str) -> LoweringPlan:
    """A plan from JSON.

    Raises:
        HifiError: it is no plan, of another schema, or names a network or a form that is unknown.
    """
    from export.lowering.rule import parse_form

    try:
        record = json.loads(text)
    except ValueError as error:
        raise HifiError(f"{name} is no JSON ({error}): give a plan of hifi-bench tune") from None
    if not isinstance(record, dict) or set(record) != {"schema", "origin", "layers"}:
        raise HifiError(f"{name} is no lowering plan: it has schema, origin and layers")
    if record["schema"] != SCHEMA:
        raise HifiError(
            f"{name} has schema {record['schema']}, this version reads {SCHEMA}: tune again"
        )
    layers, origin = record["layers"], record["origin"]
    texts = isinstance(layers, dict) and all(isinstance(form, str) for form in layers.values())
    if not texts or not isinstance(origin, str):
        raise HifiError(f"{name} is no lowering plan: origin is a text, layers are name: form")
    for layer, form in layers.items():
        try:
            check_layers([layer])
            parse_form(form)
        except HifiError as error:
            raise HifiError(f"{name}: layer {layer}: {error}") from None
    return LoweringPlan(origin, layers)


def write_plan(plan: LoweringPlan) -> str:
    """The other way."""
    record = {"schema": SCHEMA, "origin": plan.origin, "layers": dict(plan.layers)}
    return json.dumps(record, indent=2) + "\n"
