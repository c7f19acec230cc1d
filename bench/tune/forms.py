"""Which forms of a layer are worth a trial.

A layout (none, or columns), then a rewrite (none, phase, or any of the others), then for a stride a
second one behind the phase split, and at last wide where the layer is one-dimensional. A dilated
layer is folded first, a transposed one is taken apart into phases. Minimal filtering splits a
stride itself; those that need many more products than the fewest are left out. Matrix products
split one too, and leave no convolution; they are for groups, where they are asked for. What a
rewrite refuses is not tried.
"""

from collections.abc import Iterator

from bench.geometry import Geometry
from export.lowering.rule import Form, rules
from export.lowering.rules.fir import Fir
from export.lowering.rules.matmul import MatMul
from export.lowering.rules.merge import Merge

LAST = "wide"
FOLD, POLYPHASE = "fold", "polyphase"
MOST_PRODUCTS = 1.7  # times those of the filter with the fewest


def forms_of(geometry: Geometry, products: bool = False) -> list[Form]:
    """Candidates, the plain one first; some may be refused.

    Args:
        geometry: of the layer.
        products: matrix products too.
    """
    flat = len(geometry.kernel) == 1
    left_out = set() if products else _products()
    bodies = [body for body in _bodies(geometry) if left_out.isdisjoint(body)]
    layouts: list[Form] = [()] if flat else [(), ("columns",)]
    forms = [(*layout, *body) for layout in layouts for body in bodies]
    if not flat:
        return forms
    return forms + [(*form, LAST) for form in forms if _products().isdisjoint(form)]


def _bodies(geometry: Geometry) -> Iterator[Form]:
    if geometry.transposed:
        yield from ((), (POLYPHASE,), (POLYPHASE, "longer"))
        yield from ((POLYPHASE, name) for name in _filters(geometry))
        return
    filters = _filters(geometry)
    others = [
        name
        for name, rule in rules().items()
        if not isinstance(rule, Fir)
        and name not in {"columns", "phase", FOLD, POLYPHASE, LAST, *_useless(geometry)}
    ]
    yield ()
    yield from ((name,) for name in (*others, *filters))
    if max(geometry.dilations) > 1 and len(geometry.kernel) == 1:
        folded = [(FOLD,), (FOLD, "columns"), *((FOLD, name) for name in _filters(geometry))]
        yield from folded
        yield from ((FOLD, "columns", name) for name in _filters(geometry))
    if max(geometry.strides) > 1:
        yield ("phase",)
        yield from (("phase", name) for name in others if name not in _products())


def _products() -> set[str]:
    """They split a stride themselves, and leave no convolution."""
    return {name for name, rule in rules().items() if isinstance(rule, MatMul)}


def _useless(geometry: Geometry) -> set[str]:
    """What would be refused whatever comes before it."""
    refused = ["rows"] if len(geometry.kernel) == 1 else []
    if geometry.group == 1:
        refused += [name for name, rule in rules().items() if isinstance(rule, Merge | MatMul)]
    return set(refused)


def _filters(geometry: Geometry) -> list[str]:
    """Minimal filters that suit the taps of a phase."""
    taps = -(-max(geometry.kernel) // max(geometry.strides))
    fit = {
        name: rule.products(taps)
        for name, rule in rules().items()
        if isinstance(rule, Fir)
        and rule.taps <= taps
        and (rule.taps == taps or not rule.taps % rule.outputs)
    }
    fewest = min(fit.values(), default=0)
    return [name for name, products in fit.items() if products <= MOST_PRODUCTS * fewest]
