"""Which rewrites go with a precision plan: for each layer those that suit its precision."""

from collections.abc import Mapping

from export.lowering.plan import LoweringPlan, has_plan, plan_of
from export.precision.budget import GraphPrecision
from export.precision.plan import PrecisionPlan


def lowering_for(choice: str, target: str, plan: PrecisionPlan) -> LoweringPlan:
    """The plan that ``--lowering`` names; a default is that of each layer's precision, as planned.

    Args:
        choice: ``none``, ``default``, or the name of a plan's file.
        target: backend whose default is meant.
        plan: a precision for each layer.

    Raises:
        HifiError: no such file or default.
    """
    wanted = [each for each in _may_hold(plan) if each in plan.held or has_plan(choice, target)]
    return merged({each: plan_of(choice, target, each) for each in wanted}, plan)


def merged(plans: Mapping[GraphPrecision, LoweringPlan], plan: PrecisionPlan) -> LoweringPlan:
    """One plan out of those for each precision that a precision plan holds, or goes back to."""
    base = plans[plan.base]
    if all(each == base for each in plans.values()):
        return base
    back = plans["fp32"].layers if plan.yields and "fp32" in plans else None
    named = {name: plans[each].layers.get(name) for name, each in plan.layers.items()}
    forms = {**base.layers, **named}
    origins = dict.fromkeys(plans[each].origin for each in sorted(_may_hold(plan) & set(plans)))
    told = {name: form for name, form in forms.items() if form is not None}
    return LoweringPlan("; ".join(origins), told, back)


def _may_hold(plan: PrecisionPlan) -> frozenset[GraphPrecision]:
    """What its layers are in, and what they go back to."""
    return plan.held | {"fp32"} if plan.yields else plan.held
