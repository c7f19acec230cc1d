"""Which forms of a layer are worth a trial.

A layout (none, or columns), then a rewrite (none, phase, or any of the others), then for a stride a
second one behind the phase split, and at last wide where the layer is one-dimensional. Minimal
filtering splits a stride itself, and what it leaves may be matrix products. What a rewrite
refuses is not tried.
"""

from collections.abc import Iterator

from bench.tune.geometry import Geometry
from export.lowering.rule import Form, rules

LAST = "wide"
NESTED: Form = ("fir-2-2", "fir-2-2")


def forms_of(geometry: Geometry) -> list[Form]:
    """Candidates, the plain one first; some may be refused."""
    flat = len(geometry.kernel) == 1
    bodies = list(_bodies(geometry))
    layouts: list[Form] = [()] if flat else [(), ("columns",)]
    forms = [(*layout, *body) for layout in layouts for body in bodies]
    wide = [(*form, LAST) for form in forms if "gemm" not in form] if flat else []
    return forms + wide


def _bodies(geometry: Geometry) -> Iterator[Form]:
    others = [name for name in rules() if name not in {"columns", "gemm", "phase", LAST}]
    yield ()
    yield from ((name,) for name in others)
    yield from ((name, "gemm") for name in others if name.startswith("fir"))
    yield NESTED
    if max(geometry.strides) > 1:
        yield ("phase",)
        yield from (("phase", name) for name in others if not name.startswith("fir"))
