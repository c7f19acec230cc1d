"""Which rewrites go with a precision plan: for each layer those that suit its precision."""

from collections.abc import Mapping

from export.lowering.plan import LoweringPlan, plan_of
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
    return merged({each: plan_of(choice, target, each) for each in plan.held}, plan)


def merged(plans: Mapping[GraphPrecision, LoweringPlan], plan: PrecisionPlan) -> LoweringPlan:
    """One plan out of those for each precision that a precision plan holds."""
    base = plans[plan.base]
    if all(each == base for each in plans.values()):
        return base
    named = {name: plans[each].layers.get(name) for name, each in plan.layers.items()}
    forms = {**base.layers, **named}
    origins = dict.fromkeys(plans[each].origin for each in sorted(plan.held))
    return LoweringPlan(
        "; ".join(origins), {name: form for name, form in forms.items() if form is not None}
    )
